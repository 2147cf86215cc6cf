package project

// Sandboxa: a configuration file of that program as one of ours.

import (
	"fmt"
	"slices"
	"strings"

	"go.starlark.net/syntax"

	"sbx/engine/plan"
)

// sandboxaKeys are the settings that sandboxa and project() share.
var sandboxaKeys = [...]string{"allow_settings", "allow_features", "extra_data_paths", "excluded_paths", "refuse_if_exists", "command", "project_path"}

// FromSandboxa returns the Starlark form of a configuration file of sandboxa, and
// what is wrong with the file; then there may be none. templates are the names of
// the settings templates there are.
func FromSandboxa(name string, text []byte, templates []string) (string, plan.Diagnostics) {
	entries, ds := readYAML(name, text)
	var out strings.Builder
	add := func(at plan.Pos, sev plan.Severity, hint, format string, args ...any) {
		ds = append(ds, plan.Diagnostic{Severity: sev, At: plan.Origin{Pos: at}, Msg: fmt.Sprintf(format, args...), Hint: hint})
	}
	lists := map[string][]string{}
	given := map[string]bool{}
	for _, e := range entries {
		if !slices.Contains(sandboxaKeys[:], e.key) {
			hint := "sandboxa has " + strings.Join(sandboxaKeys[:], ", ")
			if near := plan.Nearest(e.key, sandboxaKeys[:]); near != "" {
				hint = fmt.Sprintf("did you mean %q?", near)
			}
			add(e.at, plan.Error, hint, "unknown setting %q", e.key)
			continue
		}
		key := e.key
		if key == "allow_features" { // as newer versions call it
			key = "allow_settings"
		}
		if given[key] {
			add(e.at, plan.Error, "", "setting %q is there twice", key) // under both of its names, perhaps
		}
		given[key] = true
		var list []string
		for _, v := range e.values {
			if v.kind != "" {
				add(v.at, plan.Error, "put it in quotes", "%q is %s, want a string", v.text, v.kind)
				continue
			}
			list = append(list, v.text)
		}
		switch {
		case e.key == "project_path":
			add(e.at, plan.Warning, "sbx run --project-path names it, or its working directory", "setting %q is left out", e.key)
			continue
		case !e.list && key != "refuse_if_exists" && key != "command" && len(e.values) > 0:
			add(e.at, plan.Error, "", "setting %q is a string, want a list", e.key)
		}
		if key == "allow_settings" {
			list = sandboxaTemplates(e, templates, add)
		}
		lists[key] = list
	}
	if ds.HasErrors() {
		ds.Sort()
		return "", ds
	}
	out.WriteString("project(\n")
	for _, key := range []string{"allow_settings", "extra_data_paths", "excluded_paths", "refuse_if_exists", "command"} {
		list, ok := lists[key]
		switch {
		case !ok || key == "command" && len(list) == 0:
		case len(list) < 2:
			out.WriteString("    " + key + " = [" + quoteAll(list, "") + "],\n")
		default:
			out.WriteString("    " + key + " = [\n" + quoteAll(list, "        ") + "    ],\n")
		}
	}
	out.WriteString(")\n")
	ds.Sort()
	return out.String(), ds
}

// sandboxaTemplates returns the templates for what sandboxa calls so.
func sandboxaTemplates(e entry, templates []string, add func(plan.Pos, plan.Severity, string, string, ...any)) []string {
	list := []string{}
	for _, v := range e.values {
		switch {
		case v.text == "clipboard":
			add(v.at, plan.Warning, "leave out the one that your desktop does not need", "the clipboard is part of the display: \"wayland\" and \"x11\" open all of it")
			list = append(list, "wayland", "x11")
		case slices.Contains(templates, v.text):
			list = append(list, v.text)
		default:
			hint := "sbx templates lists them"
			if near := plan.Nearest(v.text, templates); near != "" {
				hint = fmt.Sprintf("did you mean %q?", near)
			}
			add(v.at, plan.Error, hint, "there is no settings template %q", v.text)
		}
	}
	return list
}

// quoteAll returns the elements of a list, a line each where indent is not empty.
func quoteAll(list []string, indent string) string {
	var b strings.Builder
	for _, s := range list {
		b.WriteString(indent + syntax.Quote(s, false))
		if indent != "" {
			b.WriteString(",\n")
		}
	}
	return b.String()
}
