package systemd

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sbx/engine/compile/compiletest"
	"sbx/engine/host"
	"sbx/engine/host/hosttest"
	"sbx/engine/plan"
	"sbx/engine/validate"
)

func world() *host.Facts {
	f := hosttest.Facts("/usr/bin/sh file 0755", "/usr/lib dir", "/etc/x file", "/l1 dir", "/l2 dir", "/up dir", "/link -> usr/lib", "/a:b dir", "/dev/null device", "/srv/root/usr dir", "/m/disk dir mount")
	f.Cwd, f.FDs = "/usr", []int{3, 5}
	f.Env = []string{"HOME=/home/me", "SHELL=/bin/zsh", "X-Y=z", "LANG=C"}
	return f
}

func convert(t *testing.T, p *plan.Plan, f *host.Facts) (*Service, plan.Diagnostics) {
	t.Helper()
	l, ds := validate.Check(p, f)
	if ds.HasErrors() {
		t.Fatal(ds)
	}
	return Convert(p, l, f)
}

// text returns the properties, and the errors.
func text(s *Service, faults plan.Diagnostics, environment bool) string {
	var b strings.Builder
	for _, p := range s.Properties {
		if environment || p.Name != "UnsetEnvironment" {
			b.WriteString(p.Name + "=" + p.Value + "\n")
		}
	}
	for _, d := range faults {
		if d.Severity == plan.Error {
			b.WriteString("fault " + d.Op + ": " + d.Msg + "\n")
		}
	}
	return strings.TrimSpace(b.String())
}

func op(kind plan.Kind, dst plan.Str) plan.Op { return plan.Op{Kind: kind, Dst: dst} }

func bind(src, dst plan.Str) plan.Op { return plan.Op{Kind: plan.Bind, Src: src, Dst: dst, RO: true} }

const usual = "PrivateUsers=yes\nNoNewPrivileges=yes\nWorkingDirectory=/"

func TestOperations(t *testing.T) {
	mode := plan.ModePtr(0o700)
	for _, tt := range []struct {
		name string
		ops  []plan.Op
		want string
	}{
		{"mounts", []plan.Op{bind("/usr", "/usr"), {Kind: plan.Bind, Src: "/l1", Dst: "/d"}, {Kind: plan.Tmpfs, Dst: "/tmp"}, {Kind: plan.Tmpfs, Dst: "/t", Size: 4096, Mode: mode}, op(plan.Mkdir, "/m")}, `
TemporaryFileSystem=/:mode=0755
BindPaths=/l1:/d
TemporaryFileSystem=/m:mode=0755
TemporaryFileSystem=/t:mode=0700,size=4096
TemporaryFileSystem=/tmp:mode=01777
BindReadOnlyPaths=/usr:/usr
` + usual},
		{"kernel file systems", []plan.Op{op(plan.Dev, "/dev"), op(plan.Proc, "/proc"), op(plan.Mqueue, "/dev/mqueue")}, `
TemporaryFileSystem=/:mode=0755
PrivateDevices=yes
BindPaths=/proc:/proc
PrivateUsers=yes
NoNewPrivileges=yes
PrivateIPC=yes
WorkingDirectory=/`},
		{"symlinks", []plan.Op{bind("/usr", "/usr"), {Kind: plan.Symlink, Dst: "/lib", Target: "usr/lib"}, {Kind: plan.Symlink, Dst: "/x", Target: "nowhere"}}, `
TemporaryFileSystem=/:mode=0755
BindReadOnlyPaths=/usr/lib:/lib
BindReadOnlyPaths=/usr:/usr
` + usual + `
fault symlink: services have no symlinks of their own`},
		{"the host's root", []plan.Op{bind("/", "/"), op(plan.Mask, "/l1"), op(plan.RemountRO, "/l2")}, `
ReadOnlyPaths=/
InaccessiblePaths=/l1
ReadOnlyPaths=/l2
` + usual},
		{"mounts below read-only ones", []plan.Op{{Kind: plan.Tmpfs, Dst: "/d"}, op(plan.Tmpfs, "/d/t"), op(plan.RemountRO, "/d")}, `
TemporaryFileSystem=/:mode=0755
TemporaryFileSystem=/d:mode=0755
TemporaryFileSystem=/d/t:mode=0755
ReadOnlyPaths=/d
` + usual},
		{"read-only mounts with those below", []plan.Op{{Kind: plan.Tmpfs, Dst: "/d"}, op(plan.Tmpfs, "/d/t"), {Kind: plan.RemountRO, Dst: "/d", Recursive: true}}, `
TemporaryFileSystem=/:mode=0755
TemporaryFileSystem=/d:mode=0755
TemporaryFileSystem=/d/t:mode=0755
ReadOnlyPaths=/d
ReadOnlyPaths=/d/t
` + usual},
		{"the host's mounts below read-only ones", []plan.Op{{Kind: plan.Bind, Src: "/m", Dst: "/d"}, op(plan.RemountRO, "/d")}, `
TemporaryFileSystem=/:mode=0755
BindPaths=/m:/d
ReadOnlyPaths=/d
` + usual + `
fault remount_ro: a service makes what the host has mounted at "/m/disk" read-only as well`},
		{"another root", []plan.Op{{Kind: plan.Bind, Src: "/srv/root", Dst: "/"}}, "RootDirectory=/srv/root\n" + usual},
		{"what is lost", []plan.Op{bind("/usr", "/usr"), op(plan.Mkdir, "/usr/new"), {Kind: plan.Write, Dst: "/w"}, {Kind: plan.Copy, Src: "/etc/x", Dst: "/c"}, {Kind: plan.Overlay, Dst: "/o", Lower: []plan.Str{"/l1"}},
			op(plan.Dev, "/d"), bind("/a:b", "/a"), bind("/l1", "/a b"), {Kind: plan.Chmod, Dst: "/w", Mode: mode}, {Kind: plan.Bind, Src: "/usr", Dst: "/i", Inside: true}}, `
TemporaryFileSystem=/:mode=0755
BindReadOnlyPaths=/usr:/usr
` + usual + `
fault bind: a property cannot hold the path "/a:b"
fault bind: a property cannot hold the path "/a b"
fault copy: services have no files of their own
fault dev: services have a private /dev only there, not at "/d"
fault overlay: services have no such property
fault mkdir: destination "/usr/new" does not exist in the read-only bind at "/usr", and a service cannot add it
fault write: services have no files of their own
fault bind: services cannot bind "/usr" of the sandbox itself
fault chmod: services have no such property`},
		{"in the given order", []plan.Op{{Kind: plan.Mkdir, Dst: "/y", Create: true}, {Kind: plan.Mkdir, Dst: "/x/../y", Create: true}, {Kind: plan.Bind, Src: "/l1", Dst: "/y/z/../w", Create: true}}, `
TemporaryFileSystem=/:mode=0755
TemporaryFileSystem=/y:mode=0755
BindPaths=/l1:/y/w
` + usual + `
fault mkdir: "/x" would have to be made on the way to "/x/../y"
fault bind: "/y/z" would have to be made on the way to "/y/z/../w"`},
	} {
		p := plan.New()
		if tt.name == "in the given order" {
			p.Order = plan.OrderGiven
		}
		p.Unshare.IPC = tt.name == "kernel file systems"
		p.Ops = tt.ops
		s, faults := convert(t, p, world())
		if got := text(s, faults, false); got != strings.TrimSpace(tt.want) {
			t.Errorf("%s\n%s", tt.name, got)
		}
	}
}

func TestSettings(t *testing.T) {
	p := plan.New()
	p.Ops = []plan.Op{op(plan.Mkdir, "/d")}
	p.Unshare = plan.Namespaces{Net: true, IPC: true, PID: true, UTS: true, Cgroup: true, Time: true}
	p.Hostname, p.Dir, p.Umask = "box", "/d", plan.ModePtr(0o27)
	p.NoNewPrivs, p.SuppressChown, p.SuppressSync = false, true, true
	p.Rlimits = []plan.Rlimit{{Name: "RLIMIT_NOFILE", Soft: 10, Hard: plan.RlimInfinity}}
	p.PassFDs = []int{3}
	for _, key := range []string{"unshare.time", "pass_fd", "init"} {
		p.SetWhere(key, plan.Origin{Pos: plan.Pos{File: "t", Line: 1, Col: 1}})
	}
	p.Command = []plan.Str{"sh", "-c", "echo $HOME"}
	p.Env = []plan.EnvOp{{Kind: plan.SetEnv, Name: "A", Value: "b c"}, {Kind: plan.UnsetEnv, Name: "LANG"}}
	s, faults := convert(t, p, world())
	want := `TemporaryFileSystem=/:mode=0755
TemporaryFileSystem=/d:mode=0755
PrivateUsers=yes
NoNewPrivileges=no
SystemCallFilter=~@chown:0
SystemCallFilter=~@sync:0
PrivateNetwork=yes
PrivateIPC=yes
PrivatePIDs=yes
ProtectHostname=yes:box
ProtectControlGroups=private
UMask=0027
LimitNOFILE=10:infinity
UnsetEnvironment=PATH LANG USER LOGNAME INVOCATION_ID JOURNAL_STREAM MEMORY_PRESSURE_WATCH MEMORY_PRESSURE_WRITE SYSTEMD_EXEC_PID XDG_RUNTIME_DIR DBUS_SESSION_BUS_ADDRESS MANAGERPID
WorkingDirectory=/d
fault unshare: services have no time namespace
fault init: pid 1 is the command: there is no init that reaps
fault pass_fd: services have the standard file descriptors only`
	if got := text(s, faults, true); got != want {
		t.Errorf("%s", got)
	}
	words := s.Words()
	if got := strings.Join(words[:9], " "); got != "systemd-run --user --quiet --collect --wait --pipe --setenv=HOME --setenv=SHELL --setenv=A=b c" {
		t.Errorf("%s", got)
	}
	if got := words[len(words)-4:]; !slices.Equal(got, []string{"--", "sh", "-c", "echo $$HOME"}) {
		t.Errorf("%q", got)
	}

	// Root's services are the system's.
	p, f := plan.New(), world()
	f.UID, f.GID, f.Caps = 0, 0, plan.AllCaps
	p.Caps = plan.Caps{Set: "keep", Keep: []string{"CAP_CHOWN", "CAP_KILL"}}
	s, faults = convert(t, p, f)
	if got := text(s, faults, false); got != "TemporaryFileSystem=/:mode=0755\nCapabilityBoundingSet=CAP_CHOWN CAP_KILL\nNoNewPrivileges=yes\nWorkingDirectory=/" || s.User {
		t.Errorf("%s", got)
	}
	// And who is nobody there cannot become one.
	p = plan.New()
	p.Identity.Root = true
	p.SetWhere("become_root", plan.Origin{Pos: plan.Pos{File: "t", Line: 1, Col: 1}})
	_, faults = convert(t, p, world())
	if !faults.HasErrors() {
		t.Error("become_root is not named")
	}
}

// TestNothingIsDropped changes each field of a plan by itself.
func TestNothingIsDropped(t *testing.T) {
	compiletest.NothingIsDropped(t, func(p *plan.Plan) (string, plan.Diagnostics, bool) {
		f := compiletest.Host()
		l, ds := validate.Check(p, f)
		if ds.HasErrors() {
			return "", nil, false
		}
		s, lost := Convert(p, l, f)
		return strings.Join(s.Words(), "\n"), lost, true
	}, map[string]bool{ // which says nothing here, or as little as all of its operation
		"bind /usr: NoFollow":      true,
		"bind /usr: Optional":      true,
		"bind /usr: Devices":       true,
		"bind /b: NoFollow":        true,
		"bind /b: Optional":        true,
		"bind /b: Devices":         true,
		"mkdir /m: Optional":       true,
		"write /w: Data":           true,
		"write /w: Mode":           true,
		"copy /c: Mode":            true,
		"overlay /o: Lower":        true,
		"overlay /o: Upper":        true,
		"overlay /o: Work":         true,
		"mask /usr/lib: Optional":  true,
		"chmod /m: Mode":           true,
		"DefaultPath":              true,
		"Unshare.User":             true,
		"Unshare.UserTry":          true,
		"bind /deep/a/b: NoFollow": true,
		"bind /deep/a/b: Optional": true,
		"bind /deep/a/b: Devices":  true,
		"write /deep/d/w: Data":    true,
		"write /deep/d/w: Mode":    true,
	},
		"becomes what the symlink leads to")
}

// manual is the version from which systemd.exec(5) has each property that this
// package writes, and whether it takes any value or one of a list.
var manual = map[string]struct {
	since  int
	values []string
}{
	"BindPaths": {233, nil}, "BindReadOnlyPaths": {233, nil}, "TemporaryFileSystem": {238, nil}, "InaccessiblePaths": {231, nil}, "ReadOnlyPaths": {231, nil},
	"RootDirectory": {0, nil}, "PrivateMounts": {239, []string{"yes"}}, "PrivateDevices": {209, []string{"yes"}}, "PrivateUsers": {232, []string{"yes"}},
	"PrivateNetwork": {33, []string{"yes"}}, "PrivateIPC": {248, []string{"yes"}}, "PrivatePIDs": {257, []string{"yes"}}, "ProtectHostname": {242, nil},
	"ProtectControlGroups": {257, []string{"private"}}, "NoNewPrivileges": {187, []string{"yes", "no"}}, "CapabilityBoundingSet": {0, nil},
	"SystemCallFilter": {187, []string{"~@chown:0", "~@sync:0"}}, "UMask": {0, nil}, "UnsetEnvironment": {235, nil}, "WorkingDirectory": {0, nil},
}

// all returns a service with every property, some with all the names they take.
func all(t *testing.T) *Service {
	p := plan.New()
	p.Ops = []plan.Op{bind("/usr", "/usr"), {Kind: plan.Bind, Src: "/l1", Dst: "/d"}, op(plan.Dev, "/dev"), op(plan.Proc, "/proc"), op(plan.Tmpfs, "/tmp"), op(plan.Mask, "/usr/lib"), op(plan.RemountRO, "/d")}
	p.Unshare = plan.Namespaces{Net: true, IPC: true, PID: true, UTS: true, Cgroup: true}
	p.Hostname, p.Umask, p.SuppressChown, p.SuppressSync = "box", plan.ModePtr(0o22), true, true
	for _, name := range plan.RlimitNames {
		p.Rlimits = append(p.Rlimits, plan.Rlimit{Name: name, Soft: 1, Hard: plan.RlimInfinity})
	}
	p.Command = []plan.Str{"/usr/bin/true"}
	p.Caps = plan.Caps{Set: "keep"}
	f := world()
	f.UID, f.GID, f.Caps = 0, 0, plan.AllCaps
	for n, name := range plan.CapNames {
		if f.Caps&(1<<n) != 0 {
			p.Caps.Keep = append(p.Caps.Keep, name)
		}
	}
	s, faults := convert(t, p, f)
	if faults.HasErrors() {
		t.Fatal(faults)
	}
	return s
}

// TestManual has every property as the manual has it.
func TestManual(t *testing.T) {
	for _, p := range all(t).Properties {
		m, ok := manual[p.Name]
		if rest, limit := strings.CutPrefix(p.Name, "Limit"); limit {
			ok = plan.RlimitNumber("RLIMIT_"+rest) >= 0
		}
		if !ok || m.values != nil && !slices.Contains(m.values, p.Value) {
			t.Errorf("%s=%s is not in the manual", p.Name, p.Value)
		}
		if m.since > 249 && Since(p) < m.since {
			t.Errorf("%s is there since %d", p.Name, m.since)
		}
	}
}

// TestAnalyze has systemd itself read the properties, where it is installed.
func TestAnalyze(t *testing.T) {
	out, err := exec.Command("systemd-analyze", "--version").Output()
	if err != nil {
		t.Skip(err)
	}
	version := 0
	if f := strings.Fields(string(out)); len(f) > 1 {
		version, _ = strconv.Atoi(f[1])
	}
	var b strings.Builder
	b.WriteString("[Service]\nExecStart=/bin/true\n")
	n := 0
	for _, p := range all(t).Properties {
		if Since(p) <= version {
			b.WriteString(p.Name + "=" + strings.ReplaceAll(p.Value, "%", "%%") + "\n")
			n++
		}
	}
	name := filepath.Join(t.TempDir(), "sbx-test.service")
	if err := os.WriteFile(name, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	msg, err := exec.Command("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", name).CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Skip(err)
	}
	for line := range strings.Lines(string(msg)) {
		if strings.Contains(line, name) || strings.Contains(line, "sbx-test") {
			t.Errorf("systemd %d: %s", version, line)
		}
	}
	t.Logf("systemd %d takes %d properties\n%s", version, n, msg)
}
