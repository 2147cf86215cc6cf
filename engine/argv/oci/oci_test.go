package oci

import (
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
	f := hosttest.Facts("/usr/bin/sh file 0755", "/usr/lib dir", "/etc/x file 0640", "/l1 dir", "/l2 dir", "/up dir", "/wk dir",
		"/link -> usr/lib", "/secret dir 0700", "/dev/null device", "/dev/fuse device", "/srv/root/usr dir", "/srv/root/dev dir", "/srv/bare/usr dir", "/m/root/disk dir mount")
	f.Cwd, f.FDs = "/usr", []int{3, 5}
	return f
}

// convert returns the bundle of a plan and what it loses; nil where the plan is
// not sound.
func convert(p *plan.Plan, f *host.Facts) (*Bundle, plan.Diagnostics) {
	l, ds := validate.Check(p, f)
	if ds.HasErrors() {
		return nil, ds
	}
	return Convert(p, l, f)
}

func op(kind plan.Kind, dst plan.Str) plan.Op { return plan.Op{Kind: kind, Dst: dst} }

func bind(src, dst plan.Str) plan.Op { return plan.Op{Kind: plan.Bind, Src: src, Dst: dst, RO: true} }

// TestMounts has what operations become.
func TestMounts(t *testing.T) {
	mode := plan.ModePtr(0o700)
	yes := true
	for _, tt := range []struct {
		name string
		ops  []plan.Op
		want string
	}{
		{"binds", []plan.Op{bind("/usr", "/usr"), {Kind: plan.Bind, Src: "/etc/x", Dst: "/f"}, {Kind: plan.Bind, Src: "/l1", Dst: "/d", Devices: &yes, Suid: true}, {Kind: plan.Bind, Src: "/dev/null", Dst: "/n"}},
			`mount /d bind /l1 rbind
mount /f bind /etc/x bind,nosuid,nodev
mount /n bind /dev/null bind,nosuid
mount /usr bind /usr rbind,rro,rnosuid,rnodev`},
		{"a symlink itself", []plan.Op{{Kind: plan.Bind, Src: "/link", Dst: "/link", NoFollow: true}, {Kind: plan.Bind, Src: "/l1", Dst: "/l1", NoFollow: true}}, `
entry rootfs/link -> usr/lib
mount /l1 bind /l1 rbind,rnosuid,rnodev`},
		{"files of the root", []plan.Op{{Kind: plan.Write, Dst: "/a/b", Data: "x", Mode: mode}, {Kind: plan.Copy, Src: "/etc/x", Dst: "/c"}, {Kind: plan.Symlink, Dst: "/s", Target: "a"}, op(plan.Mkdir, "/m/tmp"), {Kind: plan.Chmod, Dst: "/c", Mode: mode}, {Kind: plan.Chmod, Dst: "/a", Mode: mode}}, `
entry rootfs/a/b 0700 "x"
entry rootfs/c 0700 of /etc/x
entry rootfs/m/tmp 01777
entry rootfs/s -> a
entry rootfs/a 0700`},
		{"files over others", []plan.Op{bind("/usr", "/usr"), {Kind: plan.Write, Dst: "/usr/bin/sh", Data: "x", RO: true, Content: plan.ContentMount}, {Kind: plan.Copy, Src: "/etc/x", Dst: "/c", Content: plan.ContentMount}}, `
entry files/0 0640 of /etc/x
entry files/1 0644 "x"
mount /c bind files/0 bind,nosuid,nodev
mount /usr bind /usr rbind,rro,rnosuid,rnodev
mount /usr/bin/sh bind files/1 bind,ro,nosuid,nodev`},
		{"memory", []plan.Op{{Kind: plan.Tmpfs, Dst: "/tmp"}, {Kind: plan.Tmpfs, Dst: "/t", Size: 4096, Mode: mode, Suid: true, Devices: &yes}, {Kind: plan.Write, Dst: "/tmp/a/x", Data: "x"}, {Kind: plan.Chmod, Dst: "/t", Mode: plan.ModePtr(0o711)}}, `
entry rootfs/tmp 01777
entry rootfs/tmp/a/x 0644 "x"
mount /t tmpfs tmpfs mode=0711,size=4096
mount /tmp tmpfs tmpfs nosuid,nodev,mode=1777,tmpcopyup`},
		{"kernel file systems", []plan.Op{op(plan.Dev, "/dev"), op(plan.Proc, "/proc"), op(plan.Mqueue, "/dev/mqueue")}, `
mount /dev tmpfs tmpfs nosuid,strictatime,mode=0755,size=65536k
mount /dev/pts devpts devpts nosuid,noexec,newinstance,ptmxmode=0666,mode=0620
mount /dev/shm tmpfs shm nosuid,noexec,nodev,mode=1777
mount /dev/fuse bind /dev/fuse bind,nosuid
mount /dev/mqueue mqueue mqueue nosuid,nodev,noexec
mount /proc bind /proc rbind,rnosuid,rnodev,rnoexec`},
		{"overlays", []plan.Op{{Kind: plan.Overlay, Dst: "/r", Lower: []plan.Str{"/l1", "/l2"}}, {Kind: plan.Overlay, Dst: "/one", Lower: []plan.Str{"/l1"}}, {Kind: plan.Overlay, Dst: "/w", Lower: []plan.Str{"/l1"}, Upper: "/up", Work: "/wk"}}, `
mount /one bind /l1 bind,ro,nosuid,nodev
mount /r overlay overlay nosuid,nodev,ro,lowerdir=/l2:/l1,userxattr,index=off,metacopy=off,xino=off
mount /w overlay overlay nosuid,nodev,lowerdir=/l1,upperdir=/up,workdir=/wk,userxattr,index=off,metacopy=off,xino=off`},
		{"masks and read-only parts", []plan.Op{bind("/usr", "/usr"), {Kind: plan.Bind, Src: "/l1", Dst: "/d/e"}, op(plan.Tmpfs, "/d/t"), op(plan.Mask, "/usr/lib"), op(plan.RemountRO, "/d"), op(plan.RemountRO, "/usr")}, `
entry rootfs/d 0755
mount /d/e bind /l1 rbind,rnosuid,rnodev
mount /d/t tmpfs tmpfs nosuid,nodev,mode=0755
mount /usr bind /usr rbind,rro,rnosuid,rnodev
mount /usr/lib tmpfs tmpfs ro,nosuid,nodev,noexec,mode=0000,size=4096
read-only /d`},
		{"mounts made read-only with those below", []plan.Op{{Kind: plan.Bind, Src: "/l1", Dst: "/d/e"}, op(plan.Tmpfs, "/d/t"), {Kind: plan.RemountRO, Dst: "/d", Recursive: true}}, `
entry rootfs/d 0755
mount /d/e bind /l1 rro,rbind,rnosuid,rnodev
mount /d/t tmpfs tmpfs ro,nosuid,nodev,mode=0755
read-only /d`},
		{"a mount made read-only alone", []plan.Op{{Kind: plan.Bind, Src: "/l1", Dst: "/d"}, op(plan.RemountRO, "/d")}, `
mount /d bind /l1 ro,rbind,rnosuid,rnodev`},
		{"the host's mounts in a part of a bind", []plan.Op{{Kind: plan.Bind, Src: "/m", Dst: "/d"}, {Kind: plan.RemountRO, Dst: "/d/root", Recursive: true}}, `
mount /d bind /m rbind,rnosuid,rnodev
read-only /d/root
fault remount_ro: of "/d/root" only itself becomes read-only, and not what the host has mounted at "/m/root/disk"`},
		{"a mask of a file", []plan.Op{bind("/usr", "/usr"), op(plan.Mask, "/usr/bin/sh")}, `
entry files/0 0000 ""
mount /usr bind /usr rbind,rro,rnosuid,rnodev
mount /usr/bin/sh bind files/0 bind,ro,nosuid,nodev,noexec`},
		{"the root read-only", []plan.Op{op(plan.Mkdir, "/x"), op(plan.RemountRO, "/")}, `
root rootfs ro
entry rootfs/x 0755`},
		{"another root", []plan.Op{bind("/srv/root", "/"), bind("/l1", "/usr")}, `
root /srv/root ro
mount /usr bind /l1 rbind,rro,rnosuid,rnodev`},
		{"the host's root", []plan.Op{bind("/", "/"), op(plan.Tmpfs, "/l1"), op(plan.Mkdir, "/new/dir"), {Kind: plan.Write, Dst: "/etc/x", Data: "y"}}, `
root rootfs ro
entry rootfs/link -> usr/lib
entry rootfs/secret 0000
entry files/0 0644 "y"
entry rootfs/new/dir 0755
mount /dev bind /dev rbind,rro,rnosuid
mount /etc bind /etc rbind,rro,rnosuid
mount /l2 bind /l2 rbind,rro,rnosuid
mount /m bind /m rbind,rro,rnosuid
mount /srv bind /srv rbind,rro,rnosuid
mount /up bind /up rbind,rro,rnosuid
mount /usr bind /usr rbind,rro,rnosuid
mount /wk bind /wk rbind,rro,rnosuid
mount /etc/x bind files/0 bind,nosuid,nodev
mount /l1 tmpfs tmpfs nosuid,nodev,mode=0755`},
		{"what is lost", []plan.Op{bind("/usr", "/usr"), op(plan.Mkdir, "/usr/new"), bind("/l1", "/usr/point"), bind("/etc/x", "/usr/deep/er"), {Kind: plan.Bind, Src: "/usr", Dst: "/again", Inside: true}, op(plan.Dev, "/d"), {Kind: plan.Overlay, Dst: "/o", Lower: []plan.Str{"/l1"}, UpperTmpfs: true},
			{Kind: plan.Overlay, Dst: "/p", Lower: []plan.Str{"/l1"}, Upper: "/up"}, {Kind: plan.Symlink, Dst: "/usr/bin/sh", Target: "x"}, {Kind: plan.Write, Dst: "/w/x", ParentMode: mode}}, `
fault bind: destination "/usr/deep/er" does not exist in the read-only bind at "/usr", and runtimes cannot add it
fault bind: destination "/usr/point" does not exist in the read-only bind at "/usr", and runtimes cannot add it
fault bind: runtimes cannot bind "/usr" of the container itself
fault dev: runtimes make devices in /dev only, not at "/d"
fault mkdir: destination "/usr/new" does not exist in the read-only bind at "/usr", and runtimes cannot add it
fault overlay: runtimes have no upper directory in memory for "/o"
fault overlay: runtimes make no work directory for upper "/up"
fault symlink: "/usr/bin/sh" would have to be made in a tree that is not the bundle's
fault write: a bundle cannot say "parent_mode"`},
		{"in the given order", []plan.Op{{Kind: plan.Mkdir, Dst: "/y", Create: true}, {Kind: plan.Mkdir, Dst: "/x/../y", Create: true}, {Kind: plan.Bind, Src: "/l1", Dst: "/y/z/../w", Create: true}}, `
fault bind: "/y/z" would have to be made on the way to "/y/z/../w"
fault mkdir: "/x" would have to be made on the way to "/x/../y"`},
	} {
		p := plan.New()
		if tt.name == "in the given order" {
			p.Order = plan.OrderGiven
		}
		p.Unshare.IPC = true
		p.Ops = tt.ops
		b, faults := convert(p, world())
		if b == nil {
			t.Errorf("%s: %v", tt.name, faults)
			continue
		}
		got := ""
		if r := b.Spec.Root; r.Path != RootDir || r.Readonly {
			got += "root " + r.Path + map[bool]string{true: " ro"}[r.Readonly] + "\n"
		}
		for _, e := range b.Entries {
			switch {
			case e.Kind == EntrySymlink:
				got += "entry " + e.Path + " -> " + e.Data + "\n"
			case e.From != "":
				got += "entry " + e.Path + " " + plan.Mode(e.Mode).String() + " of " + e.From + "\n"
			case e.Kind == EntryFile:
				got += "entry " + e.Path + " " + plan.Mode(e.Mode).String() + " \"" + e.Data + "\"\n"
			case e.Path != RootDir:
				got += "entry " + e.Path + " " + plan.Mode(e.Mode).String() + "\n"
			}
		}
		for _, m := range b.Spec.Mounts {
			if m.Destination == "/dev" && !slices.ContainsFunc(tt.ops, func(o plan.Op) bool { return o.Kind == plan.Dev }) && m.Type == "tmpfs" {
				continue // TestDevices
			}
			got += "mount " + m.Destination + " " + m.Type + " " + m.Source + " " + strings.Join(m.Options, ",") + "\n"
		}
		for _, m := range b.Spec.Linux.ReadonlyPaths {
			got += "read-only " + m + "\n"
		}
		var lost []string
		for _, d := range faults {
			if d.Severity == plan.Error {
				lost = append(lost, "fault "+d.Op+": "+d.Msg+"\n")
			}
		}
		slices.Sort(lost)
		if strings.HasPrefix(strings.TrimSpace(tt.want), "fault") {
			got = ""
		}
		got += strings.Join(lost, "")
		if strings.TrimSpace(got) != strings.TrimSpace(tt.want) {
			t.Errorf("%s\n%s", tt.name, got)
		}
	}
}

// TestDevices has a /dev in each bundle, without which runtimes do not start.
func TestDevices(t *testing.T) {
	const memory = "/dev tmpfs nosuid,strictatime,mode=0755,size=65536k"
	for _, tt := range []struct {
		ops  []plan.Op
		want string
	}{
		{[]plan.Op{bind("/usr", "/usr")}, memory},
		{[]plan.Op{op(plan.RemountRO, "/")}, "/dev tmpfs ro,nosuid,strictatime,mode=0755,size=65536k"},
		{[]plan.Op{bind("/dev/null", "/dev/null")}, "/dev/null bind bind,ro,nosuid"}, // the runtime makes its parent
		{[]plan.Op{op(plan.Mkdir, "/dev/x")}, ""},
		{[]plan.Op{bind("/srv/root", "/")}, ""},
		{[]plan.Op{bind("/srv/bare", "/")}, `bind: the root "/srv/bare" has no /dev, and runtimes would make one in it`},
	} {
		p := plan.New()
		p.Ops = tt.ops
		b, faults := convert(p, world())
		if b == nil {
			t.Error(faults)
			continue
		}
		got := ""
		for _, m := range b.Spec.Mounts {
			if plan.Within(m.Destination, "/dev") {
				got += m.Destination + " " + m.Type + " " + strings.Join(m.Options, ",")
			}
		}
		for _, d := range faults {
			if d.Severity == plan.Error {
				got += d.Op + ": " + d.Msg
			}
		}
		if got != tt.want {
			t.Errorf("%v: %s, want %s", tt.ops, got, tt.want)
		}
	}
}

// TestNothingIsDropped changes each field of a plan by itself.
func TestNothingIsDropped(t *testing.T) {
	compiletest.NothingIsDropped(t, func(p *plan.Plan) (string, plan.Diagnostics, bool) {
		f := compiletest.Host()
		f.Env = append(f.Env, "X=y")
		b, lost := convert(p, f)
		if b == nil {
			return "", nil, false
		}
		config, err := b.Spec.JSON()
		if err != nil {
			t.Fatal(err)
		}
		s := string(config)
		for _, e := range b.Entries {
			s += e.Path + " " + plan.Mode(e.Mode).String() + e.Data + e.From + "\n"
		}
		return s, lost, true
	}, map[string]bool{ // which says nothing here, or as little as all of its operation
		"bind /usr: NoFollow":      true,
		"bind /usr: Optional":      true,
		"bind /b: NoFollow":        true,
		"bind /b: Optional":        true,
		"mkdir /m: Optional":       true,
		"mask /usr/lib: Optional":  true,
		"DefaultPath":              true,
		"TryDir":                   true,
		"Unshare.User":             true,
		"Unshare.UserTry":          true,
		"NewSession":               true,
		"bind /deep/a/b: NoFollow": true,
		"bind /deep/a/b: Optional": true,
	},
		"runtimes set HOME")
}

// TestIdentity has who the command is, and what it may do.
func TestIdentity(t *testing.T) {
	for _, tt := range []struct {
		root bool
		id   plan.Identity
		caps plan.Caps
		want string
	}{
		{false, plan.Identity{}, plan.Caps{}, "user 1000:1000 map 1000=1000 namespaces user mount caps "},
		{false, plan.Identity{Root: true}, plan.Caps{Set: "keep", Keep: []string{"CAP_KILL"}}, "user 0:0 map 0=1000 namespaces user mount caps CAP_KILL"},
		{false, plan.Identity{UIDs: []plan.IDRange{{Inside: 0, Outside: 9, Count: 1}, {Inside: 5, Outside: 1000, Count: 1}}, GIDs: []plan.IDRange{{Inside: 6, Outside: 1000, Count: 1}}}, plan.Caps{}, "user 5:6 map 0=95=1000 namespaces user mount caps "},
		{true, plan.Identity{}, plan.Caps{}, "user 0:0 map  namespaces mount caps "},
		{true, plan.Identity{UID: new(uint32), GID: new(uint32)}, plan.Caps{Set: "keep", Keep: []string{"CAP_CHOWN", "CAP_BPF"}}, "user 0:0 map  namespaces mount caps CAP_CHOWN CAP_BPF"},
	} {
		f := world()
		if tt.root {
			f.UID, f.GID, f.Caps = 0, 0, plan.AllCaps
		}
		p := plan.New()
		p.Identity, p.Caps = tt.id, tt.caps
		b, faults := convert(p, f)
		if b == nil {
			t.Fatal(faults)
		}
		s := &b.Spec
		got := "user " + num(s.Process.User.UID) + ":" + num(s.Process.User.GID) + " map "
		for _, m := range s.Linux.UIDMappings {
			got += num(m.ContainerID) + "=" + num(m.HostID)
		}
		got += " namespaces"
		for _, n := range s.Linux.Namespaces {
			got += " " + n.Type
		}
		got += " caps " + strings.Join(s.Process.Capabilities.Ambient, " ")
		if got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

func num(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

// TestNotText has what JSON cannot hold named.
func TestNotText(t *testing.T) {
	p := plan.New()
	p.Ops = []plan.Op{{Kind: plan.Tmpfs, Dst: "/\xff"}, {Kind: plan.Symlink, Dst: "/s", Target: "\xff"}}
	p.Command = []plan.Str{"sh", "\xff"}
	p.Env = []plan.EnvOp{{Kind: plan.SetEnv, Name: "A", Value: "\xff"}}
	b, faults := convert(p, world())
	n := 0
	for _, d := range faults {
		if strings.HasSuffix(d.Msg, "is not UTF-8, which JSON cannot hold") {
			n++
		}
	}
	if b == nil || n != 4 {
		t.Errorf("%v", faults)
	}
}
