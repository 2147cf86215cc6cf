package project

// Asked: what a sandbox was asked to be, to tell whether another one would be the same.

import (
	"slices"
	"strconv"

	"sbx/engine/plan"
)

// Asked is one thing that a sandbox was made from: an option of the command line
// with its operand, a configuration file that counted with its digest, or the home
// directory.
type Asked struct {
	What plan.Str `json:"what"`
	Is   plan.Str `json:"is"`
}

const askedHome = "home"

// Asked returns what the sandbox was made from, but for the command: what the user
// has said, and not what came of it. That depends on the terminal's environment,
// and on what files there are, which may be another for each sandbox without
// anybody having asked for another one. o and places are those of Evaluate.
func (r *Result) Asked(o *Options, places Places) []Asked {
	list := []Asked{}
	add := func(what, is string) {
		a := Asked{plan.Str(what), plan.Str(is)}
		if !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	for _, flag := range []struct {
		name   string
		values []Value
	}{
		{"--allow-settings", o.AllowSettings}, {"--extra-data-path", o.ExtraDataPaths},
		{"--excluded-path", o.ExcludedPaths}, {"--pass-env", o.PassEnv},
	} {
		for _, v := range flag.values {
			add(flag.name, v.Text)
		}
	}
	add(askedHome, places.Home)
	if r.User == Own {
		add(r.UserFile, NewClosure(r.UserFile).Digest())
	}
	switch r.Project {
	case Own, Trusted, InTrusted, Tightens:
		add(r.ProjectFile, r.Files.Digest())
	}
	return list
}

// Differences says how what is asked for now differs from what a sandbox was made
// from; empty: it does not.
func Differences(then, now []Asked) []string {
	var list []string
	for _, a := range now {
		old := a.in(then)
		switch {
		case old == nil && a.option():
			list = append(list, a.String()+" is new")
		case old == nil:
			list = append(list, a.String()+" counts now")
		case *old == a:
		case a.What == askedHome:
			list = append(list, "the home directory was "+strconv.Quote(string(old.Is)))
		default:
			list = append(list, a.String()+" has changed")
		}
	}
	for _, b := range then {
		switch {
		case b.in(now) != nil:
		case b.option():
			list = append(list, "it was started with "+b.String())
		default:
			list = append(list, b.String()+" counted then")
		}
	}
	return list
}

// in finds the same in a list: of options, with the same operand.
func (a Asked) in(list []Asked) *Asked {
	for i := range list {
		if b := &list[i]; a.What == b.What && (!a.option() || a.Is == b.Is) {
			return b
		}
	}
	return nil
}

// option reports whether it is an option of the command line.
func (a Asked) option() bool { return a.What != "" && a.What[0] == '-' }

// String returns an option as it is written, or a file.
func (a Asked) String() string {
	if a.option() {
		return string(a.What) + " " + strconv.Quote(string(a.Is))
	}
	return strconv.Quote(string(a.What))
}
