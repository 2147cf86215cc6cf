package session

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sbx/engine/host"
	"sbx/engine/plan"
)

// record has the sessions on record in a directory of the test's.
func record(t testing.TB) string {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_RUNTIME_DIR", dir)
	return filepath.Join(dir, "sbx")
}

func BenchmarkNote(b *testing.B) {
	record(b)
	p, f := plan.New(), &host.Facts{Env: os.Environ()}
	p.Command = []plan.Str{"true"}
	for b.Loop() {
		Note(p, f, "/home/ann/project")()
	}
}

func TestNote(t *testing.T) {
	root := record(t)
	p := plan.New()
	p.Command = []plan.Str{"make", "all"}
	forget := Note(p, &host.Facts{}, "/home/ann/Prößekt & more")
	list, err := List()
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	i := list[0]
	if !strings.HasPrefix(i.ID, "pr-ekt-more-") || i.Command[1] != "all" || i.Session || !i.Alive() || i.Server != os.Getpid() {
		t.Errorf("%+v", i)
	}
	if got, err := Lookup("pr-"); err != nil || got.ID != i.ID {
		t.Error(got, err)
	}
	if _, err := Open(i.ID, nil, false); err == nil || !strings.Contains(err.Error(), "is no session") {
		t.Error(err)
	}
	forget()
	forget()
	if names, err := os.ReadDir(root); err != nil || len(names) > 0 {
		t.Error(names, err)
	}
}

// What nobody locks is stale, whatever it holds, and what is on its way in is not
// listed.
func TestStale(t *testing.T) {
	root := record(t)
	if list, err := List(); err != nil || len(list) != 0 {
		t.Fatal(list, err)
	}
	if _, err := os.Stat(root); err == nil {
		t.Error("List makes the directory")
	}
	if _, err := Root(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a-dead", "b-empty", "c-odd"} {
		if err := os.Mkdir(filepath.Join(root, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	os.WriteFile(filepath.Join(root, "a-dead", stateFile), []byte(`{"id": "a-dead", "server": 1}`), 0o600)
	os.WriteFile(filepath.Join(root, "c-odd", stateFile), []byte(`{`), 0o600)
	os.WriteFile(filepath.Join(root, "file"), nil, 0o600)
	if err := os.Symlink("/", filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	e, err := newEntry("/x")
	if err != nil {
		t.Fatal(err)
	}
	list, err := List()
	if err != nil || len(list) != 0 {
		t.Error(list, err)
	}
	var names []string
	entries, _ := os.ReadDir(root)
	for _, n := range entries {
		names = append(names, n.Name())
	}
	if got := strings.Join(names, " "); got != "file link "+e.id {
		t.Error(got)
	}
	e.remove()
	if _, err := os.Stat("/etc"); err != nil {
		t.Error(err)
	}
}

func TestRoot(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", dir)
	for _, c := range []struct {
		prepare func(sbx string) error
		fault   string
	}{
		{func(sbx string) error { return nil }, ""},
		{func(sbx string) error { return os.Mkdir(sbx, 0o755) }, "can be entered by others: its mode is 0755"},
		{func(sbx string) error { return os.WriteFile(sbx, nil, 0o600) }, "is no directory"},
		{func(sbx string) error { return os.Symlink("/", sbx) }, "is no directory"},
	} {
		os.Chmod(dir, 0o700)
		sbx := filepath.Join(dir, "sbx")
		os.RemoveAll(sbx)
		if err := c.prepare(sbx); err != nil {
			t.Fatal(err)
		}
		got, err := Root()
		if c.fault == "" && (err != nil || got != sbx) || c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)) {
			t.Error(got, err)
		}
	}
	if os.Getuid() == 0 {
		os.RemoveAll(filepath.Join(dir, "sbx"))
		os.Mkdir(filepath.Join(dir, "sbx"), 0o700)
		os.Chown(filepath.Join(dir, "sbx"), 12345, 12345)
		if _, err := Root(); err == nil || !strings.Contains(err.Error(), "belongs to user 12345") {
			t.Error(err)
		}
	}
}

// What keeps sandboxes from the sockets, and what makes them, agree on the place.
func TestPlaces(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", dir)
	for mode, fits := range map[os.FileMode]bool{0o700: true, 0o755: false, 0o770: false} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		first, runtime := place(os.Geteuid())
		list := Places()
		if list[0] != first || (first == filepath.Join(dir, "sbx")) != fits || fits && !runtime {
			t.Errorf("%o: %q %v %q", mode, first, runtime, list)
		}
	}
	t.Setenv("XDG_RUNTIME_DIR", "relative")
	if first, _ := place(os.Geteuid()); !filepath.IsAbs(first) {
		t.Error(first)
	}
}

// TestIDs: names are short, and unlike.
func TestIDs(t *testing.T) {
	for in, want := range map[string]string{"/a/My Project!": "my-project-", "/": "sbx-", "": "sbx-", "/x/日本": "sbx-", "/x/" + strings.Repeat("long", 20): "longlonglonglonglong-", "/x/a--b": "a-b-", "/x/..": "sbx-"} {
		if got := newID(in); !strings.HasPrefix(got, want) || len(got) != len(want)+4 {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// What cannot be a session is told at once, with all that is wrong.
func TestPasses(t *testing.T) {
	fd := 3
	p := plan.New()
	p.PassFDs, p.Suspend, p.Lifetime = []int{5}, true, plan.LifetimeCommand
	p.Hooks.Status, p.Join.PID = &fd, &fd
	p.Ops = []plan.Op{{Kind: plan.Bind, SrcFD: &fd, Dst: "/x"}, {Kind: plan.Bind, Src: "/", Dst: "/"}}
	_, err := Start(Options{Plan: p})
	var f *Failure
	if !errors.As(err, &f) || len(f.Diags) != 6 || f.Code != 125 {
		t.Fatal(err)
	}
}
