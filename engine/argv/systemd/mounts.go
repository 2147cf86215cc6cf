package systemd

// The operations of a plan, as properties.

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"sbx/engine/host"
	"sbx/engine/layout"
	"sbx/engine/plan"
)

// operations converts the layout's steps. The manager sorts mounts by their
// destination.
func (c *converter) operations(l *layout.Layout) {
	if l.Root == nil {
		c.set("TemporaryFileSystem", "/:mode=0755")
	} else {
		c.absent(l.Root)
		c.root(l.Root)
	}
	nodev := false
	for _, s := range l.Steps {
		c.absent(s)
		nodev = nodev || s.Op.Kind == plan.Bind && (s.Op.Devices == nil || !*s.Op.Devices)
	}
	if nodev {
		c.faults = append(c.faults, plan.Diagnostic{Severity: plan.Warning, Op: "bind", Msg: "device nodes work in what is bound"})
	}
	for _, s := range l.Steps {
		if at := c.missing[s.Target.Path]; at != nil && s.Op.Kind != plan.Chmod && s.Op.Kind != plan.RemountRO && s.Op.Kind != plan.Mask {
			c.cannot(s.Op.At, string(s.Op.Kind), "make it there first", "destination %q does not exist in the read-only %s at %q, and a service cannot add it",
				s.Op.Dst, at.Op.Kind, at.Op.Dst)
			continue
		}
		for _, dir := range s.Target.Aside() {
			c.cannot(s.Op.At, string(s.Op.Kind), "", "%q would have to be made on the way to %q", dir, s.Op.Dst)
		}
		if s.Done && s.Op.Kind != plan.RemountRO {
			continue
		}
		c.step(s, l)
		c.unsaidOf(s.Op)
	}
}

// absent finds the steps whose destination sbx adds to a tree of the host.
func (c *converter) absent(s *layout.Step) {
	for _, e := range s.Extra {
		c.missing[below(s.Target.Path, e.Rel)] = s
	}
	for _, sk := range s.Skeletons {
		for _, e := range sk.Entries {
			c.missing[below(sk.Path, e.Rel)] = s
		}
	}
}

func below(dir, rel string) string { return strings.TrimSuffix(dir, "/") + "/" + rel }

// root converts what makes the root, which is the host's where nothing does.
func (c *converter) root(s *layout.Step) {
	op := s.Op
	defer c.unsaidOf(op)
	switch {
	case op.Kind == plan.Tmpfs || op.Kind == plan.Mkdir:
		c.set("TemporaryFileSystem", "/:"+tmpfsOptions(op))
	case op.Kind == plan.Bind && strings.Trim(string(op.Src), "/.") == "":
		if op.RO {
			c.set("ReadOnlyPaths", "/")
		} else {
			c.yes(true, "PrivateMounts")
		}
	case op.Kind == plan.Bind:
		src, ok := path(string(op.Src))
		if !ok {
			c.cannot(op.At, "bind", "", "a property cannot hold the path %q", op.Src)
			return
		}
		c.set("RootDirectory", src)
		if op.RO {
			c.set("ReadOnlyPaths", "/")
		}
	default:
		c.cannot(op.At, string(op.Kind), "", "cannot be the root of a service")
	}
}

func (c *converter) step(s *layout.Step, l *layout.Layout) {
	op := s.Op
	dst, ok := path(s.Target.Path)
	if !ok {
		c.cannot(op.At, string(op.Kind), "", "a property cannot hold the path %q", s.Target.Path)
		return
	}
	for _, m := range c.mounts {
		if s.Target.Path != m.Target.Path && plan.Within(m.Target.Path, s.Target.Path) && op.Kind != plan.Mask && op.Kind != plan.RemountRO && op.Kind != plan.Chmod {
			c.cannot(op.At, string(op.Kind), "", "%q comes before %q, whatever the order of the calls", op.Dst, m.Op.Dst)
			return
		}
	}
	switch op.Kind {
	case plan.Bind:
		c.bind(s, dst)
	case plan.Tmpfs:
		c.set("TemporaryFileSystem", dst+":"+tmpfsOptions(op))
	case plan.Mkdir:
		if s.Target.Place != layout.Own {
			c.cannot(op.At, "mkdir", "", "%q would have to be made in a tree of the host's", op.Dst)
			return
		}
		c.set("TemporaryFileSystem", dst+":"+tmpfsOptions(op))
	case plan.Dev:
		if s.Target.Path != "/dev" {
			c.cannot(op.At, "dev", "", "services have a private /dev only there, not at %q", op.Dst)
			return
		}
		c.yes(true, "PrivateDevices")
	case plan.Proc:
		if s.Target.Path != "/proc" {
			c.cannot(op.At, "proc", "", "services have /proc only there, not at %q", op.Dst)
			return
		}
		if !c.plan.Unshare.PID { // else there is one with the namespace
			c.set("BindPaths", "/proc:/proc")
		}
		if c.facts.OwnsProc(c.plan) {
			for _, name := range host.ProcOfRoot {
				c.set("ReadOnlyPaths", "-/proc/"+name)
			}
		}
	case plan.Mqueue:
		if s.Target.Path != "/dev/mqueue" {
			c.cannot(op.At, "mqueue", "", "services have message queues only at /dev/mqueue")
			return
		}
		c.yes(!c.plan.Unshare.IPC, "PrivateIPC")
	case plan.Symlink:
		c.symlink(s, l, dst)
		return
	case plan.Mask:
		c.set("InaccessiblePaths", dst)
		return
	case plan.RemountRO:
		c.readonly(s, l, dst)
		return
	case plan.Chmod:
		c.cannot(op.At, "chmod", "give the mode where it is made", "services have no such property")
		return
	case plan.Copy:
		c.cannot(op.At, "copy", "bind() the file, read-only", "services have no files of their own")
		return
	case plan.Write:
		c.cannot(op.At, "write", "bind() a file of the host", "services have no files of their own")
		return
	default:
		c.cannot(op.At, string(op.Kind), "", "services have no such property")
		return
	}
	c.mounts = append(c.mounts, s)
}

// readonly makes a path read-only. A service's mounts below it stay as they are,
// but for those that a bind brings, systemd.exec(5).
func (c *converter) readonly(s *layout.Step, l *layout.Layout, dst string) {
	op, at := s.Op, s.Target.Path
	c.set("ReadOnlyPaths", dst)
	if op.Recursive {
		for _, m := range c.mounts {
			if m.Target.Path == at || !plan.Within(m.Target.Path, at) {
				continue
			}
			if p, ok := path(m.Target.Path); ok {
				c.set("ReadOnlyPaths", p)
			}
		}
		return
	}
	by := l.Root
	for _, m := range c.mounts {
		if plan.Within(at, m.Target.Path) {
			by = m
		}
	}
	if by == nil || by.Op.Kind != plan.Bind || by.Op.RO {
		return
	}
	src := filepath.Join(string(by.Op.Src), strings.TrimPrefix(at, strings.TrimSuffix(by.Target.Path, "/")))
	points, err := c.facts.Mounts()
	if err != nil {
		return
	}
	for _, p := range points {
		if p != src && plan.Within(p, src) {
			c.cannot(op.At, "remount_ro", "recursive = True says that", "a service makes what the host has mounted at %q read-only as well", p)
			return
		}
	}
}

// unsaidOf names what an operation says that this package does not know.
func (c *converter) unsaidOf(op *plan.Op) {
	o := *op
	o.Kind, o.Dst, o.At, o.Optional, o.Create, o.Follow, o.Chase = "", "", plan.Origin{}, false, false, false, false // by the layout
	o.Src, o.Inside, o.NoFollow, o.RO = "", false, false, false
	o.Target, o.Data, o.Size, o.Mode = "", "", 0, nil
	o.Lower, o.Upper, o.UpperTmpfs, o.Work = nil, "", false, ""
	if o.Devices != nil && *o.Devices == (op.Kind == plan.Bind) { // they work in binds, and nowhere else
		o.Devices = nil
	}
	if op.Kind == plan.RemountRO {
		o.Recursive = false
	}
	for _, name := range plan.Fields(o) {
		c.cannot(op.At, string(op.Kind), "", "a service cannot say %q", name)
	}
}

func (c *converter) bind(s *layout.Step, dst string) {
	op := s.Op
	src, ok := path(string(op.Src))
	switch {
	case op.SrcFD != nil, op.Foreign, op.CreateSrc: // named as what is not known
		return
	case op.Inside:
		c.cannot(op.At, "bind", "", "services cannot bind %q of the sandbox itself", op.Src)
		return
	case !ok:
		c.cannot(op.At, "bind", "", "a property cannot hold the path %q", op.Src)
		return
	case op.NoFollow && c.facts.Lstat(string(op.Src)).Type == host.Symlink:
		// What it leads to is there as well, in most cases.
		c.faults = append(c.faults, plan.Diagnostic{Severity: plan.Warning, Op: "bind", Msg: fmt.Sprintf("%q becomes what the symlink leads to", op.Dst)})
	}
	name := "BindPaths"
	if op.RO {
		name = "BindReadOnlyPaths"
	}
	c.set(name, src+":"+dst)
}

// symlink shows what a symlink leads to, where that is a tree of the host's: a
// service has no symlinks of its own.
func (c *converter) symlink(s *layout.Step, l *layout.Layout, dst string) {
	op := s.Op
	target := string(op.Target)
	if !strings.HasPrefix(target, "/") {
		target = s.Target.Path[:strings.LastIndexByte(s.Target.Path, '/')+1] + target
	}
	for _, x := range l.Steps {
		if x.Op.Kind != plan.Bind || x.Op.Inside || !plan.Within(target, x.Target.Path) || strings.Contains(target+"/", "/../") {
			continue
		}
		src := strings.TrimSuffix(string(x.Op.Src), "/") + strings.TrimPrefix(target, x.Target.Path)
		p, ok := path(src)
		if t := c.facts.Stat(src).Type; !ok || t != host.Dir && t != host.File {
			continue
		}
		name := "BindPaths"
		if x.Op.RO {
			name = "BindReadOnlyPaths"
		}
		c.set(name, p+":"+dst)
		c.faults = append(c.faults, plan.Diagnostic{Severity: plan.Warning, Op: "symlink", Msg: fmt.Sprintf("%q becomes what the symlink leads to", op.Dst)})
		return
	}
	c.cannot(op.At, "symlink", "bind() what it leads to", "services have no symlinks of their own")
}

// tmpfsOptions are the mount options of a file system in memory.
func tmpfsOptions(op *plan.Op) string {
	mode := plan.Mode(0o755)
	if strings.HasSuffix(strings.TrimRight(string(op.Dst), "/"), "/tmp") {
		mode = 0o1777
	}
	if op.Mode != nil {
		mode = *op.Mode
	}
	o := "mode=" + mode.String()
	if op.Size > 0 {
		o += ",size=" + strconv.FormatUint(op.Size, 10)
	}
	return o
}

// path returns a path as properties hold it, if they can: they are split at white
// space and colons, and % begins a specifier in unit files.
func path(p string) (string, bool) {
	for i := range len(p) {
		if c := p[i]; c <= ' ' || c == ':' || c == '"' || c == '\'' || c == '\\' || c == '%' || c >= 0x7f {
			return "", false
		}
	}
	return p, p != ""
}
