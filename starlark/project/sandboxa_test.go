package project

import (
	"strings"
	"testing"

	"sbx/engine/plan"
	"sbx/starlark/eval"
)

var someTemplates = []string{"opencode", "podman", "ssh", "vim", "wayland", "x11"}

func TestSandboxa(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", "project(\n)\n"},
		{"# nothing\n---\n\n...\n# more\n", "project(\n)\n"},
		{"allow_settings: [ssh, \"vim\"]\n", "project(\n    allow_settings = [\n        \"ssh\",\n        \"vim\",\n    ],\n)\n"},
		{"allow_features:\n- podman\n", "project(\n    allow_settings = [\"podman\"],\n)\n"},
		{"extra_data_paths:\n  - ~/data # mine\n  - '/it''s'\n  - \"/a\\tb \\u00e4\"\n", "project(\n    extra_data_paths = [\n        \"~/data\",\n        \"/it's\",\n        \"/a\\tb ä\",\n    ],\n)\n"},
		{"excluded_paths: []\nrefuse_if_exists: .profile\ncommand: opencode\r\n", "project(\n    excluded_paths = [],\n    refuse_if_exists = [\".profile\"],\n    command = [\"opencode\"],\n)\n"},
		{"'refuse_if_exists': [a#b, c:d, 'x, y' ]   # list\n", "project(\n    refuse_if_exists = [\n        \"a#b\",\n        \"c:d\",\n        \"x, y\",\n    ],\n)\n"},
		{"excluded_paths:\nrefuse_if_exists: \"\"\n", "project(\n    excluded_paths = [],\n    refuse_if_exists = [\"\"],\n)\n"},
	} {
		got, ds := FromSandboxa("c.yaml", []byte(tt.in), someTemplates)
		if got != tt.want || len(ds) > 0 {
			t.Errorf("%q:\n%s%v", tt.in, got, ds)
			continue
		}
		l := eval.NewLayers(eval.Options{Lib: func(name string) ([]byte, error) {
			return []byte("def " + strings.TrimSuffix(name, ".star") + "(): pass"), nil
		}})
		l.File("/x", "x", []byte(got))
		if ds := l.Faults(); ds != nil {
			t.Errorf("%s: %v", got, ds)
		}
		l.Close()
	}

	got, ds := FromSandboxa("c.yaml", []byte("project_path: /p\nallow_features: [clipboard]\n"), someTemplates)
	if len(ds) != 2 || ds.HasErrors() || !strings.Contains(got, `"wayland",`) || !strings.Contains(got, `"x11",`) {
		t.Error(got, ds)
	}
}

func TestSandboxaFaults(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"alow_settings: []", `c.yaml:1:1: error: unknown setting "alow_settings"`},
		{"a b: 1", `c.yaml:1:1: error: unknown setting "a b"`},
		{"allow_settings: [shs]", `c.yaml:1:18: error: there is no settings template "shs"`},
		{"allow_settings: ssh", `c.yaml:1:1: error: setting "allow_settings" is a string, want a list`},
		{"command: true", `c.yaml:1:10: error: "true" is a bool, want a string`},
		{"command: [a, 1.5]", `c.yaml:1:14: error: "1.5" is a number`},
		{"excluded_paths: [~]", `c.yaml:1:18: error: "~" is null`},
		{"excluded_paths:\n  -\n", `c.yaml:2:4: error: "" is null`},
		{"command: a\ncommand: b", `c.yaml:2:1: error: setting "command" is there twice`},
		{"allow_settings: []\nallow_features: []", `c.yaml:2:1: error: setting "allow_settings" is there twice`},
		{"command", `c.yaml:1:1: error: a line is no "name: value"`},
		{"- a", `c.yaml:1:1: error: an element of a list`},
		{"command: a\n- b", `c.yaml:2:1: error: an element of a list`},
		{"command: []\n- b", `c.yaml:2:1: error: an element of a list`},
		{"command:\n  a", `c.yaml:2:3: error: a line is indented`},
		{"command: a\n  b", `c.yaml:2:3: error: a line is indented`},
		{"excluded_paths:\n\t- a", `c.yaml:2:1: error: a line is indented by a tab`},
		{"excluded_paths: [a, b", `c.yaml:1:17: error: a bracket is not closed`},
		{"excluded_paths: [a,\n  b]", `c.yaml:1:17: error: a bracket is not closed`},
		{"excluded_paths: [[a]]", `c.yaml:1:18: error: cannot make sense`},
		{"excluded_paths: [a: b]", `c.yaml:1:19: error: a mapping`},
		{"excluded_paths: [,]", `c.yaml:1:18: error: an element is empty`},
		{"excluded_paths: [a] b", `c.yaml:1:20: error: something follows`},
		{"excluded_paths:\n- - a", `c.yaml:2:3: error: cannot make sense`},
		{"excluded_paths:\n- a: b", `c.yaml:2:4: error: a mapping`},
		{"command: {a: b}", `c.yaml:1:10: error: cannot make sense`},
		{"command: &x a", `c.yaml:1:10: error: cannot make sense`},
		{"command: *x", `c.yaml:1:10: error: cannot make sense`},
		{"command: !!str a", `c.yaml:1:10: error: cannot make sense`},
		{"command: |\n  a", `c.yaml:1:10: error: cannot make sense`},
		{"command: >-\n  a", `c.yaml:1:10: error: cannot make sense`},
		{"? a\n: b", `c.yaml:1:1: error: a line is no`},
		{"<<: *a", `c.yaml:1:1: error: unknown setting "<<"`},
		{"%YAML 1.2", `c.yaml:1:1: error: a line is no`},
		{"command: \"a", `c.yaml:1:10: error: a quote is not closed`},
		{"command: \"\\q\"", `c.yaml:1:11: error: an escape`},
		{"command: 'a' b", `c.yaml:1:13: error: something follows`},
		{"command: a\n...\ncommand: b", `c.yaml:3:1: error: something follows the end`},
		{"command: a\n---\ncommand: b", `c.yaml:2:1: error: a line is no`},
		{"\xff", `sbx: error: "c.yaml" is not valid UTF-8`},
	} {
		got, ds := FromSandboxa("c.yaml", []byte(tt.in), someTemplates)
		if got != "" || !strings.HasPrefix(ds.Error(), tt.want) {
			t.Errorf("%q: %q\n got %v\nwant %s", tt.in, got, ds, tt.want)
		}
		for i := range ds {
			if i > 0 && ds[i].Error() == ds[i-1].Error() {
				t.Errorf("%q: told twice: %v", tt.in, ds[i])
			}
		}
	}
}

func FuzzYAML(f *testing.F) {
	for _, s := range []string{"a: b", "a:\n- 'x'\n", "a: [b, \"c\\x41\"]", "---\na: #\n...\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text, ds := FromSandboxa("f", []byte(s), nil)
		if (text == "") != ds.HasErrors() {
			t.Errorf("%q %v", text, ds)
		}
		for _, d := range ds {
			if p := d.At.Pos; p != (plan.Pos{}) && (p.Line < 1 || p.Col < 1) {
				t.Errorf("%+v", d)
			}
		}
	})
}
