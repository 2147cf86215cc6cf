package host_test

import (
	"errors"
	"reflect"
	"syscall"
	"testing"

	"sbx/engine/host"
	"sbx/engine/host/hosttest"
	"sbx/engine/plan"
)

func TestByHand(t *testing.T) {
	f := hosttest.Facts("/a/b file 0600", "/l -> a", "/abs -> /a/b", "/a/up -> b", "/me -> me", "/x denied")
	for path, want := range map[string]host.Path{
		"/a": {Type: host.Dir, Mode: 0o755}, "/a/b": {Type: host.File, Mode: 0o600}, "/abs": {Type: host.File, Mode: 0o600}, "/a/up": {Type: host.File, Mode: 0o600},
		"/l": {Type: host.Dir, Mode: 0o755}, "/no": {}, "/me": {Type: host.Unknown, Err: syscall.ELOOP}, "/x": {Type: host.Unknown, Err: syscall.EACCES},
	} {
		if got := f.Stat(path); got != want {
			t.Errorf("Stat(%s) = %+v", path, got)
		}
	}
	if p := f.Lstat("/l"); p.Type != host.Symlink || p.Target != "a" {
		t.Errorf("Lstat = %+v", p)
	}
	list, err := f.ReadDir("/a")
	if err != nil || len(list) != 2 || list[0].Name != "b" || list[1].Target != "b" {
		t.Errorf("ReadDir = %v, %v", list, err)
	}
	if list, err := f.ReadDir("/no"); list != nil || err != nil {
		t.Errorf("ReadDir = %v, %v", list, err)
	}
	if (f.FS("/no") != host.FS{}) || f.FS("/a").Ino == 0 {
		t.Error("FS")
	}
	f.MountPts = nil
	if m, err := f.Mounts(); m != nil || err != nil {
		t.Errorf("Mounts = %v, %v", m, err)
	}
}

// once is a prober that counts.
type once struct {
	calls int
	err   error
}

func (o *once) Lstat(string) host.Path { o.calls++; return host.Path{Type: host.Dir} }
func (o *once) Stat(string) host.Path  { o.calls++; return host.Path{Type: host.File} }
func (o *once) FS(string) host.FS      { o.calls++; return host.FS{Ino: 1} }
func (o *once) ReadDir(string) ([]host.Entry, error) {
	o.calls++
	return []host.Entry{{Name: "x"}}, o.err
}
func (o *once) Mounts() ([]string, error) { o.calls++; return []string{"/"}, o.err }
func (o *once) TmpfsXattr() bool          { o.calls++; return true }

func TestProbedOnce(t *testing.T) {
	o := &once{err: errors.New("no")}
	f := &host.Facts{Prober: o}
	if _, err := f.ReadDir("/a"); err != o.err {
		t.Errorf("ReadDir: %v", err)
	}
	if _, err := f.Mounts(); err != o.err {
		t.Errorf("Mounts: %v", err)
	}
	o.err, o.calls = nil, 0
	for range 3 {
		f.Lstat("/a")
		f.Stat("/a")
		f.FS("/a")
		f.ReadDir("/a")
		f.Mounts()
		f.KeepsDirs(&plan.Op{Kind: plan.Overlay, UpperTmpfs: true})
	}
	if o.calls != 6 {
		t.Errorf("%d calls", o.calls)
	}
}

func TestGetenv(t *testing.T) {
	f := &host.Facts{Env: []string{"AB=1", "A=2", "A=3", "B="}}
	if got := []string{f.Getenv("A"), f.Getenv("AB"), f.Getenv("B"), f.Getenv("C")}; !reflect.DeepEqual(got, []string{"2", "1", "", ""}) {
		t.Errorf("%q", got)
	}
}

func TestPrivileged(t *testing.T) {
	id := func(n uint32) *uint32 { return &n }
	for _, tt := range []struct {
		uid  uint32
		caps uint64
		id   plan.Identity
		want bool
	}{ // 1<<8 CAP_SETPCAP, 1<<21 CAP_SYS_ADMIN
		{0, 1 << 21, plan.Identity{}, false}, {0, 1 << 8, plan.Identity{}, false}, {1000, 0, plan.Identity{}, false}, {0, 0, plan.Identity{}, false}, {0, 1<<21 | 1<<8, plan.Identity{}, true},
		{1000, 1<<21 | 1<<8, plan.Identity{}, true}, {1000, 1<<21 | 1<<8, plan.Identity{Root: true}, false}, {0, 1<<21 | 1<<8, plan.Identity{Root: true}, true},
		{0, 1<<21 | 1<<8, plan.Identity{UID: id(0), GID: id(0)}, true}, {0, 1<<21 | 1<<8, plan.Identity{UID: id(1)}, false}, {0, 1<<21 | 1<<8, plan.Identity{GID: id(1)}, false},
	} {
		f := &host.Facts{UID: tt.uid, GID: tt.uid, Caps: tt.caps}
		p := plan.New()
		p.Identity = tt.id
		if f.Privileged(p) != tt.want {
			t.Errorf("%+v", tt)
		}
	}
	// What the plan asks for decides what the caller has to have.
	f, p := &host.Facts{Caps: 1 << 21}, plan.New()
	for _, c := range []struct {
		caps plan.Caps
		root bool
		want bool
	}{{plan.Caps{Set: "all"}, false, true}, {plan.Caps{}, true, true}, {plan.Caps{Set: "none"}, true, false}} {
		p.Caps, p.Identity.Root = c.caps, c.root
		if f.Privileged(p) != c.want {
			t.Errorf("%+v", c)
		}
	}
	p = plan.New()
	p.Unshare.Net = true
	f.Caps |= 1 << 8
	if f.Privileged(p) {
		t.Error("a loopback interface without CAP_NET_ADMIN")
	}
	f.Caps |= 1 << 12
	if !f.Privileged(p) {
		t.Error("no loopback interface")
	}
}
