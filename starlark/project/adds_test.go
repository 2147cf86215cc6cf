package project

import (
	"os"
	"strings"
	"testing"

	"sbx/engine/plan"
)

// TestAdditions has files that were trusted do something else for what has
// changed around them.
func TestAdditions(t *testing.T) {
	const flag = "p/flag"
	on := func(stmt string) string { return "if exists('$H/p/flag'): " + stmt }
	off := func(stmt string) string { return "if not exists('$H/p/flag'): " + stmt }
	for _, tt := range []struct {
		name string
		text string
		file string   // that is written after it was trusted
		to   string   // its content; "-": it is removed instead
		want []string // of what is told; none: it goes on
	}{
		{"a file that appears", on("bind('$H/.ssh')"), flag, "", []string{`/p/.sbx.star:1:`, `: error: bind "$H/.ssh", writable: this is new`}},
		{"a glob", "for f in glob('$H/p/conf/*'): bind(f, '/x' + f, ro = True)", "p/conf/b", "", []string{`bind "$H/p/conf/b" at "/x$H/p/conf/b": this is new`}},
		{"links", "for l in symlinks('$H/x'): bind(realpath(l))", "x/link", "-> $H/.ssh", []string{`bind "$H/.ssh", writable: this is new`}},
		{"a file elsewhere", "bind('$H/' + read('$H/other').strip())", "other", ".ssh", []string{`"$H/.ssh", writable: this is new`}},
		{"a link to a secret", "write('/w', read('$H/x/y'))", "x/y", "-> $H/secret2", []string{`write "/w": this is new`}},
		{"what another file is read for", "read('$H/p/conf/a')\nbind('/etc', '/x')", "p/conf/a", "x", nil},
		{"what is not done any more", off("bind('$H/.ssh', '/x')"), flag, "", nil},
		{"a source that comes", "bind('$H/none', optional = True)", "none", "", nil},
		{"a source that goes", "bind('$H/other', optional = True)", "other", "-", nil},
		{"writable", "bind('$H/.ssh', ro = not exists('$H/p/flag'))", flag, "", []string{`bind "$H/.ssh", writable: this is new`}},
		{"a setting", on("unshare(pid = False)"), flag, "", []string{"setting unshare.pid = off: this is new"}},
		{"a setting that tightened", off("unshare(net = True)"), flag, "", []string{"setting unshare.net = true: this is done no more"}},
		{"a limit", off("rlimit('core', 0)"), flag, "", []string{"setting rlimits", "is done no more"}},
		{"the command", "command(['a' if exists('$H/p/flag') else 'b'])", flag, "", []string{`setting command = ["a"]: this is new`}},
		{"no command", off("command(['a'])"), flag, "", nil},
		{"a variable", on("pass_env('A_TOKEN')"), flag, "", []string{"pass_env A_TOKEN: this is new"}},
		{"a value", "setenv('A', 'b' if exists('$H/p/flag') else 'c')", flag, "", []string{"setenv A=b: this is new"}},
		{"a secret value", "setenv('A_TOKEN', 'xyzzy' if exists('$H/p/flag') else 'c')", flag, "", []string{"setenv A_TOKEN: this is new"}},
		{"a variable that was removed", off("unsetenv('A')"), flag, "", []string{"unsetenv A: this is done no more"}},
		{"a variable that was hidden", "pass_env('A_TOKEN')\nsetenv('B', 'c')\n" + off("setenv('A_TOKEN', 'x')"), flag, "", []string{"pass_env A_TOKEN: this is new"}},
		{"no variable", off("setenv('A', 'b')"), flag, "", nil},
		{"an empty environment", off("clearenv()"), flag, "", []string{"clearenv: this is done no more"}},
		{"a mask", off("mask('$H/p/README')"), flag, "", []string{`mask "$H/p/README": this is done no more`}},
		{"a mask of what is gone", "for f in glob('$H/p/conf/*'): mask(f)", "p/conf/a", "-", nil},
		{"a mask more", "for f in glob('$H/p/conf/*'): mask(f)", "p/conf/b", "", nil},
		{"a mask of what is shown elsewhere", "bind('$H/p', '/q')\n" + off("mask('/q/README')"), flag, "", []string{`mask "/q/README": this is done no more`}},
		{"a mask of what is gone elsewhere", "bind('$H/p', '/q')\nfor f in ['a', 'b']:\n  if exists('$H/p/conf/' + f): mask('/q/conf/' + f)", "p/conf/a", "-", nil},
		{"a directory over it", "bind('$H/x')\n" + off("tmpfs('$H/x/y')"), flag, "", []string{`tmpfs "$H/x/y": this is done no more`}},
		{"a directory over nothing of the file's", off("tmpfs('/var/lib')"), flag, "", nil},
		{"the last counts", "def a(): bind('$H/.ssh', '/x')\ndef b(): tmpfs('/x')\nfor f in [b, a] if exists('$H/p/flag') else [a, b]: f()", flag, "", []string{`bind "$H/.ssh" at "/x", writable: this is new`}},
		{"the given order", "order('given')\ndef a(): bind('$H/.ssh', '/x/y')\ndef b(): tmpfs('/x')\nfor f in [b, a] if exists('$H/p/flag') else [a, b]: f()", flag, "", []string{"the order of the operations: this is new"}},
		{"an extra path", on("project(extra_data_paths = ['$H/.ssh'])"), flag, "", []string{`extra data path "$H/.ssh": this is new`}},
		{"a link in its place", "bind('$H/gone', ro = True, optional = True)", "gone", "-> $H/.ssh", []string{`bind "$H/gone", which leads to "$H/.ssh": this is new`}},
		{"a link on the way", "bind('$H/way/config', '/c')", "way", "-> $H/.ssh", []string{`bind "$H/way/config" at "/c", which leads to "$H/.ssh/config", writable: this is new`}},
		{"another link", "bind('$H/link')", "link", "-> .ssh", []string{`which leads to "$H/.ssh", writable: this is new`}},
		{"another link to the same", "bind('$H/link')", "link", "-> x/../x", nil},
		{"a link that is not followed", "bind('$H/link', follow = False)", "link", "-> .ssh", nil},
		{"a link to a file that is copied", "copy('$H/link/y', '/c')", "link", "-> .ssh", []string{`copy "$H/link/y" at "/c", which leads to "$H/.ssh/y": this is new`}},
		{"a link to a layer", "overlay('/o', '$H/link')", "link", "-> .ssh", []string{`overlay "/o", which leads to "$H/.ssh": this is new`}},
		{"a link to an extra path", "project(extra_data_paths = ['~/link'])", "link", "-> .ssh", []string{`extra data path "~/link", which leads to "$H/.ssh": this is new`}},
		{"an exclusion", off("project(excluded_paths = ['README'])"), flag, "", []string{`excluded path "README": this is done no more`}},
		{"an exclusion of nothing", off("project(excluded_paths = ['none'])"), flag, "", nil},
		{"markers", on("project(refuse_if_exists = [])"), flag, "", []string{"setting refuse_if_exists = []: this is new"}},
		{"a template", on("project(allow_settings = ['docker'])"), flag, "", []string{"template docker(): this is new"}},
		{"a template, loaded", "load('@sbx//docker.star', 'docker')\n" + on("docker()"), flag, "", []string{"template docker(): this is new"}},
		{"a template's argument", "load('@sbx//ssh.star', 'ssh')\nssh(keys = exists('$H/p/flag'))", flag, "", []string{"template ssh(keys = True): this is new"}},
		{"what a template finds", "load('@sbx//ssh.star', 'ssh')\nssh(keys = True)", ".ssh/id_rsa", "", nil},
		{"what a function finds that is no template", "load('@sbx//files.star', 'show')\nshow('$H/.ssh/id_rsa')", ".ssh/id_rsa", "", []string{`bind "$H/.ssh/id_rsa": this is new`}},
		{"no template", "load('@sbx//ssh.star', 'ssh')\n" + off("ssh()"), flag, "", nil},
	} {
		w := newWorld(t, "p/conf/a: ", "p/.sbx.star: bind('/etc', '/etc2')\n", "other: x", "x/y: ", "link: -> x", "secret2: xyzzy", ".ssh/config: ", "p/.sbx.star: "+tt.text)
		w.write(".config/sbx/project.star", "")
		w.trust()
		if _, err := w.evaluate(Options{}); err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if tt.to == "-" {
			os.Remove(w.home + "/" + tt.file)
		} else {
			w.write(tt.file, tt.to)
		}
		r, err := w.evaluate(Options{})
		if tt.want == nil {
			if err != nil || r.Project != Trusted {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		if err == nil {
			t.Errorf("%s: goes on", tt.name)
			continue
		}
		for _, want := range append(tt.want, "does more than it did when it was trusted") {
			if want = strings.ReplaceAll(want, "$H", w.home); !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %s", tt.name, err, want)
			}
		}
		if strings.Contains(err.Error(), "xyzzy") {
			t.Errorf("%s: a secret is told: %v", tt.name, err)
		}
		b, _ := os.ReadFile(w.places.Store().name(w.dir))
		if strings.Contains(string(b), "xyzzy") || len(b) == 0 {
			t.Errorf("%s: a secret is kept: %s", tt.name, b)
		}
		w.trust()
		if _, err := w.evaluate(Options{}); err != nil {
			t.Errorf("%s: trusted anew: %v", tt.name, err)
		}
	}
}

// TestAdditionsOfEnvironment has the caller's environment count for what it is:
// nothing that runs in a sandbox has a say in it.
func TestAdditionsOfEnvironment(t *testing.T) {
	w := newWorld(t, "run/a/x: ", "run/b/x: ", "p/.sbx.star: bind(host.env['SSH_AUTH_SOCK'], '/agent')\nbind(host.env['SSH_AUTH_SOCK'])\nsetenv('COPY', host.env['AUTH'])\nproject(allow_settings = ['ssh'])")
	base := w.env
	set := func(dir string) { w.env = append(base[:len(base):len(base)], "AUTH="+dir, "SSH_AUTH_SOCK="+dir+"/x") }
	set(w.home + "/run/a")
	w.trust()
	set(w.home + "/run/b")
	if r := w.must(Options{}); r.Project != Trusted {
		t.Error(r.Project)
	}
	// The shell sets some without anybody meaning anything by it.
	w.write("p/.sbx.star", "bind(host.env['AUTH'], ro = True)\nsymlink(host.env['AUTH'], '/l')")
	set(w.home + "/run/a")
	w.trust()
	if name, vary := w.must(Options{}).FromEnv(&plan.Op{Kind: plan.Bind, Src: plan.Str(w.home + "/run/a")}); name != "AUTH" || vary {
		t.Error(name, vary)
	}
	set(w.home + "/run/b")
	if _, err := w.evaluate(Options{}); err == nil || !strings.Contains(err.Error(), "/run/b\", from variable AUTH: this is new") || strings.Contains(err.Error(), "symlink") {
		t.Error(err)
	}
	w.write("p/.sbx.star", "project(extra_data_paths = [host.env['AUTH']])")
	set(w.home + "/run/a")
	w.trust()
	set(w.home + "/run/b")
	if _, err := w.evaluate(Options{}); err == nil || !strings.Contains(err.Error(), "/run/b\": this is new") {
		t.Error(err)
	}
	// But not what only looks like it.
	w.write("p/.sbx.star", "if host.env['AUTH']: bind('"+w.home+"/run/' + ('a' if exists('$H/p/flag') else 'b'))")
	w.trust()
	w.write("p/flag", "")
	if _, err := w.evaluate(Options{}); err == nil || !strings.Contains(err.Error(), "/run/a\", writable: this is new") {
		t.Error(err)
	}
}

// TestUserChanges has the user's own configuration change under a trusted file.
func TestUserChanges(t *testing.T) {
	w := newWorld(t, ".config/sbx/project.star: unshare(net = False)", "p/.sbx.star: unshare(net = False)\nbind('/etc', '/x')")
	w.trust()
	w.write(".config/sbx/project.star", "tmpfs('/opt')\nproject(allow_settings = ['vim'], excluded_paths = ['README'])\nsetenv('A', 'b')")
	if r := w.must(Options{}); r.Project != Trusted {
		t.Error(r.Project)
	}
	w.write(".config/sbx/project.star", "unshare(net = True)")
	if _, err := w.evaluate(Options{}); err == nil || !strings.Contains(err.Error(), ".sbx.star:1:1: error: setting unshare.net = off: this is new") {
		t.Error(err)
	}
}
