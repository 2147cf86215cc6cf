package project

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"sbx/engine/plan"
)

// Variables that name a directory for temporary files enter where that can be
// written in the sandbox.
func TestTempDir(t *testing.T) {
	w := newWorld(t)
	data := filepath.Join(w.home, "data")
	for _, dir := range []string{data, filepath.Join(w.dir, "tmp"), filepath.Join(w.home, "tmp"), filepath.Join(w.home, "ro")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(data, filepath.Join(w.dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/usr", filepath.Join(w.dir, "out")); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "c.star")
	if err := os.WriteFile(config, []byte("bind(host.home + '/ro', ro = True)\nremount_ro(host.project + '/none')\nsetenv('TEMP', '/x')"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		dir  string
		data bool // what is named on the command line is shown
		want bool
	}{
		{"/tmp", false, true},
		{"/tmp/", false, true},
		{"/tmp/user/1000", false, false},
		{"/dev/shm", false, true},
		{"/dev", false, false},
		{"/proc", false, false},
		{"/usr/share", false, false},
		{"/", false, false},
		{"/nowhere", false, false},
		{w.home, false, true},
		{filepath.Join(w.home, "tmp"), false, false},
		{filepath.Join(w.home, "ro"), false, false},
		{w.dir, false, true},
		{filepath.Join(w.dir, "tmp"), false, true},
		{"tmp", false, true},
		{filepath.Join(w.dir, "none"), false, false},
		{filepath.Join(w.dir, "out"), false, false},
		{filepath.Join(w.dir, "link"), false, false},
		{filepath.Join(w.dir, "link"), true, true},
		{data, false, false},
		{data, true, true},
		{"", false, true},
	} {
		w.env = w.env[:2]
		for _, name := range tempVariables {
			w.env = append(w.env[:len(w.env):len(w.env)], name+"="+tt.dir)
		}
		o := Options{ConfigFile: &Value{Text: config}}
		if tt.data {
			o.ExtraDataPaths = vals(data)
		}
		r := w.must(o)
		for _, name := range tempVariables[:2] {
			if got := !slices.Contains(r.Dropped, name); got != tt.want {
				t.Errorf("%s=%s, data %v: enters %v", name, tt.dir, tt.data, got)
			}
		}
		o.PassEnv = vals("TMP")
		if r = w.must(o); slices.Contains(r.Dropped, "TMP") {
			t.Errorf("TMP=%s does not enter though asked for", tt.dir)
		}
		for _, e := range r.Plan.Env {
			if e.Name == "TEMP" && e.Kind != plan.SetEnv {
				t.Errorf("TEMP=%s: what the script says is undone: %v", tt.dir, e)
			}
		}
	}
}
