package oci

// The operations of a plan, as mounts and as files of the root.

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"sbx/engine/host"
	"sbx/engine/layout"
	"sbx/engine/plan"
)

// operations converts the layout's steps.
func (c *converter) operations(l *layout.Layout) {
	steps := l.Steps
	if l.Root != nil {
		c.root(l.Root, steps)
		c.absent(l.Root)
	}
	for _, s := range steps {
		c.absent(s)
	}
	for _, s := range steps {
		if at := c.missing[s.Target.Path]; at != nil && s.Op.Kind != plan.Chmod && s.Op.Kind != plan.RemountRO && s.Op.Kind != plan.Mask {
			c.cannot(s.Op.At, string(s.Op.Kind), "make it there first", "destination %q does not exist in the read-only %s at %q, and runtimes cannot add it",
				s.Op.Dst, at.Op.Kind, at.Op.Dst)
			continue
		}
		c.step(s)
		c.unsaidOf(s.Op)
	}
}

// absent finds the steps whose destination sbx adds to a tree of the host.
func (c *converter) absent(s *layout.Step) {
	for _, e := range s.Extra {
		c.missing[below(s.Target.Path, e.Rel)] = s
	}
	for _, sk := range s.Skeletons {
		if sk.Path == "/" && c.host != nil {
			continue // the root is the bundle's
		}
		for _, e := range sk.Entries {
			c.missing[below(sk.Path, e.Rel)] = s
		}
	}
}

func below(dir, rel string) string { return strings.TrimSuffix(dir, "/") + "/" + rel }

// root converts what makes the root.
func (c *converter) root(s *layout.Step, steps []*layout.Step) {
	op := s.Op
	root := &c.bundle.Spec.Root
	switch op.Kind {
	case plan.Tmpfs, plan.Mkdir:
		c.entries(RootDir, Entry{Kind: EntryDir, Mode: dirMode(op), At: op.At, Op: string(op.Kind)})
		if op.Size > 0 {
			c.cannot(op.At, "tmpfs", "", "the root is a directory of the bundle, without a limit of its size")
		}
	case plan.Bind:
		if !c.text(op.At, "bind", "source", string(op.Src)) {
			return
		}
		if strings.Trim(string(op.Src), "/.") == "" {
			c.hostRoot(s, steps)
			break
		}
		root.Path, root.Readonly = string(op.Src), op.RO
		c.bundle.Entries, c.entry = nil, map[string]int{}
		if at, ok := c.mountBelow(string(op.Src)); ok && op.RO {
			c.cannot(op.At, "bind", "bind its parts one by one", "of the root only %q itself becomes read-only, and not what is mounted at %q", op.Src, at)
		}
	default:
		c.cannot(op.At, string(op.Kind), "", "cannot be the root of a bundle")
	}
	c.unsaidOf(op)
}

// hostRoot makes the root of what is in the host's: runtimes cannot take that
// itself, since they would mount over the sources of other mounts.
func (c *converter) hostRoot(s *layout.Step, steps []*layout.Step) {
	op := s.Op
	list, err := c.facts.ReadDir("/")
	if err != nil {
		c.cannot(op.At, "bind", "", "%q cannot be read: %v", op.Src, err)
		return
	}
	if !op.RO {
		c.cannot(op.At, "bind", "", "what is made in \"/\" itself stays in the bundle")
	}
	c.bundle.Spec.Root.Readonly = op.RO
	c.host = map[string]bool{}
	covered := map[string]bool{}
	for _, x := range steps {
		switch x.Op.Kind {
		case plan.Bind, plan.Tmpfs, plan.Dev, plan.Proc, plan.Overlay:
			covered[x.Target.Path] = true
		}
	}
	for _, e := range list {
		path := "/" + e.Name
		c.host[path] = true
		switch {
		case covered[path] || !c.text(op.At, "bind", "source", path):
		case e.Type == host.Symlink:
			c.entries(RootDir+path, Entry{Kind: EntrySymlink, Data: e.Target, At: op.At, Op: "bind"})
		case e.Type == host.Dir && e.Mode&0o004 == 0 && c.facts.UID != 0:
			// Runtimes cannot bind what the caller cannot open; nor could the command.
			c.entries(RootDir+path, Entry{Kind: EntryDir, At: op.At, Op: "bind"})
		default:
			b := *op
			b.Src, b.Dst = plan.Str(path), plan.Str(path)
			if op.Devices == nil {
				b.Devices = new(bool)
				*b.Devices = true
			}
			c.bind(&layout.Step{Op: &b, Target: layout.Target{Path: path}, Dir: e.Type == host.Dir})
		}
	}
}

// mountBelow returns a mount point of the host below dir.
func (c *converter) mountBelow(dir string) (string, bool) {
	points, err := c.facts.Mounts()
	if err != nil {
		return "", false
	}
	for _, p := range points {
		if p != dir && plan.Within(p, dir) {
			return p, true
		}
	}
	return "", false
}

// step converts one operation.
func (c *converter) step(s *layout.Step) {
	op, dst := s.Op, s.Target.Path
	for _, dir := range s.Target.Aside() {
		c.cannot(op.At, string(op.Kind), "", "%q would have to be made on the way to %q", dir, op.Dst)
	}
	if !c.text(op.At, string(op.Kind), "destination", dst) || s.Done && op.Kind != plan.RemountRO {
		return
	}
	switch op.Kind {
	case plan.Bind:
		c.bind(s)
	case plan.Tmpfs:
		size := ""
		if op.Size > 0 {
			size = "size=" + strconv.FormatUint(op.Size, 10)
		}
		suid, dev := ownFlags(op)
		c.mount(s, Mount{Type: "tmpfs", Source: "tmpfs", Options: options(suid, dev, fmt.Sprintf("mode=%04o", dirMode(op)), size)})
	case plan.Mqueue:
		c.mount(s, Mount{Type: "mqueue", Source: "mqueue", Options: options("nosuid", "nodev", "noexec")})
	case plan.Proc:
		if c.facts.OwnsProc(c.plan) {
			for _, name := range host.ProcOfRoot {
				c.bundle.Spec.Linux.ReadonlyPaths = append(c.bundle.Spec.Linux.ReadonlyPaths, below(dst, name))
			}
		}
		if c.plan.Unshare.PID {
			c.mount(s, Mount{Type: "proc", Source: "proc", Options: options("nosuid", "nodev", "noexec")})
		} else {
			c.mount(s, Mount{Type: "bind", Source: "/proc", Options: options("rbind", "rnosuid", "rnodev", "rnoexec")})
		}
	case plan.Dev:
		c.device(s)
	case plan.Overlay:
		c.overlay(s)
	case plan.Mkdir:
		if !c.inRoot(s, Entry{Kind: EntryDir, Mode: dirMode(op)}) {
			c.cannot(op.At, "mkdir", "", "%q would have to be made in a tree that is not the bundle's", op.Dst)
		}
	case plan.Symlink:
		if c.text(op.At, "symlink", "target", string(op.Target)) && !c.inRoot(s, Entry{Kind: EntrySymlink, Data: string(op.Target)}) {
			c.cannot(op.At, "symlink", "", "%q would have to be made in a tree that is not the bundle's", op.Dst)
		}
	case plan.Write, plan.Copy:
		c.file(s)
	case plan.Mask:
		c.mask(s)
	case plan.RemountRO:
		c.readonly(op, dst)
	case plan.Chmod:
		c.chmod(s)
	default:
		c.cannot(op.At, string(op.Kind), "", "a bundle has no such operation")
	}
}

// unsaidOf names what an operation says that this package does not know.
func (c *converter) unsaidOf(op *plan.Op) {
	o := *op
	o.Kind, o.Dst, o.At, o.Optional, o.Create = "", "", plan.Origin{}, false, false // by the layout
	o.Follow, o.Chase = false, false
	switch op.Kind {
	case plan.Write, plan.Copy:
		if o.Content == plan.ContentMount {
			o.Content = ""
		}
	case plan.Bind, plan.Tmpfs, plan.Overlay:
		o.Suid, o.Devices = false, nil
	}
	o.Src, o.Inside, o.NoFollow, o.RO = "", false, false, false
	o.Target, o.Data, o.Size, o.Mode = "", "", 0, nil
	o.Lower, o.Upper, o.UpperTmpfs, o.Work = nil, "", false, ""
	if op.Kind == plan.RemountRO {
		o.Recursive = false
	}
	for _, name := range plan.Fields(o) {
		c.cannot(op.At, string(op.Kind), "", "a bundle cannot say %q", name)
	}
}

func (c *converter) mount(s *layout.Step, m Mount) {
	m.Destination = s.Target.Path
	for _, dir := range s.Target.Make { // crun would make them sticky
		if _, there := c.entry[RootDir+dir]; !there && c.over(dir) == nil && c.bundle.Spec.Root.Path == RootDir {
			c.entries(RootDir+dir, Entry{Kind: EntryDir, Mode: 0o755})
		}
	}
	c.bundle.Spec.Mounts = append(c.bundle.Spec.Mounts, m)
}

func (c *converter) bind(s *layout.Step) {
	op := s.Op
	src := string(op.Src)
	switch {
	case op.SrcFD != nil, op.Foreign: // named as what is not known
		return
	case op.Inside:
		c.cannot(op.At, "bind", "", "runtimes cannot bind %q of the container itself", op.Src)
		return
	case !c.text(op.At, "bind", "source", src):
		return
	case op.NoFollow && c.facts.Lstat(src).Type == host.Symlink:
		if !c.inRoot(s, Entry{Kind: EntrySymlink, Data: c.facts.Lstat(src).Target}) {
			c.cannot(op.At, "bind", "", "runtimes cannot bind the symlink %q itself", op.Src)
		}
		return
	}
	r, ro, dev, suid := "r", "ro", "nodev", "nosuid"
	if !s.Dir { // crun takes the recursive flags of directories only
		r = ""
	}
	if ro = r + ro; !op.RO {
		ro = ""
	}
	if dev = r + dev; devices(op) {
		dev = ""
	}
	if suid = r + suid; op.Suid {
		suid = ""
	}
	c.mount(s, Mount{Type: "bind", Source: src, Options: options(r+"bind", ro, suid, dev)})
}

// devices reports whether device nodes work below a bind.
func devices(op *plan.Op) bool {
	if op.Devices != nil {
		return *op.Devices
	}
	return op.Src == "/" || plan.Within(string(op.Src), "/dev")
}

// ownFlags are those of what is mounted and no bind.
func ownFlags(op *plan.Op) (suid, dev string) {
	suid, dev = "nosuid", "nodev"
	if op.Suid {
		suid = ""
	}
	if op.Devices != nil && *op.Devices {
		dev = ""
	}
	return suid, dev
}

// device converts dev: runtimes make the usual devices in /dev themselves.
func (c *converter) device(s *layout.Step) {
	if s.Target.Path != "/dev" {
		c.cannot(s.Op.At, "dev", "", "runtimes make devices in /dev only, not at %q", s.Op.Dst)
		return
	}
	c.dev = true
	c.mount(s, Mount{Type: "tmpfs", Source: "tmpfs", Options: options("nosuid", "strictatime", "mode=0755", "size=65536k")})
	sub := func(name string, m Mount) {
		m.Destination = "/dev/" + name
		c.bundle.Spec.Mounts = append(c.bundle.Spec.Mounts, m)
	}
	sub("pts", Mount{Type: "devpts", Source: "devpts", Options: options("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620")})
	sub("shm", Mount{Type: "tmpfs", Source: "shm", Options: options("nosuid", "noexec", "nodev", "mode=1777")})
	switch {
	case c.facts.Lstat("/dev/fuse").Type != host.Device:
	case !c.facts.Privileged(c.plan): // crun cannot make a device then
		sub("fuse", Mount{Type: "bind", Source: "/dev/fuse", Options: options("bind", "nosuid")})
	default:
		c.bundle.Spec.Linux.Devices = append(c.bundle.Spec.Linux.Devices, Device{Path: "/dev/fuse", Type: "c", Major: 10, Minor: 229, FileMode: 0o666})
	}
}

func (c *converter) overlay(s *layout.Step) {
	op := s.Op
	paths := append([]plan.Str{op.Upper, op.Work}, op.Lower...)
	for _, p := range paths {
		if !c.text(op.At, "overlay", "directory", string(p)) {
			return
		}
		if strings.ContainsAny(string(p), `,:\`) {
			c.cannot(op.At, "overlay", "", "directory %q has a character in it that the options of a mount cannot hold", p)
			return
		}
	}
	// The kernel takes the topmost layer first.
	var lower []string
	for i := len(op.Lower) - 1; i >= 0; i-- {
		lower = append(lower, string(op.Lower[i]))
	}
	suid, dev := ownFlags(op)
	m := Mount{Type: "overlay", Source: "overlay", Options: options(suid, dev)}
	switch {
	case op.UpperTmpfs:
		c.cannot(op.At, "overlay", "name a directory with upper", "runtimes have no upper directory in memory for %q", op.Dst)
		return
	case op.Upper == "" && len(lower) == 1:
		m = Mount{Type: "bind", Source: lower[0], Options: options("bind", "ro", suid, dev)}
	case op.Upper == "":
		m.Options = append(m.Options, "ro", "lowerdir="+strings.Join(lower, ":"))
	case op.Work == "":
		c.cannot(op.At, "overlay", "name an empty directory beside upper with work", "runtimes make no work directory for upper %q", op.Upper)
		return
	default:
		m.Options = append(m.Options, "lowerdir="+strings.Join(lower, ":"), "upperdir="+string(op.Upper), "workdir="+string(op.Work))
	}
	if m.Type == "overlay" { // as package compile has it, for root as well: what is in a layer means the same
		m.Options = append(m.Options, "userxattr", "index=off", "metacopy=off", "xino=off")
	}
	c.mount(s, m)
}

// inRoot makes the step's thing an entry of the bundle's root, where it is that.
func (c *converter) inRoot(s *layout.Step, e Entry) bool {
	path := s.Target.Path
	own := s.Target.Place == layout.Own
	if c.host != nil { // the first name is none of the host's
		first, _, _ := strings.Cut(path[1:], "/")
		own = own || !c.host["/"+first]
	}
	if !own || s.Target.Exists != host.Missing {
		return false
	}
	if m := c.over(s.Target.Path); m != nil {
		// A tmpfs can begin as a copy of what it covers.
		if m.Type != "tmpfs" || m.Destination == "/dev" {
			return false
		}
		if m.Options[len(m.Options)-1] != "tmpcopyup" {
			m.Options = append(m.Options, "tmpcopyup")
			c.entries(RootDir+m.Destination, Entry{Kind: EntryDir, Mode: modeOption(m)})
		}
	} else if c.bundle.Spec.Root.Path != RootDir {
		return false
	}
	e.At, e.Op = s.Op.At, string(s.Op.Kind)
	c.entries(RootDir+s.Target.Path, e)
	return true
}

// over returns the mount that a path lies in, so far, but for one at the path.
func (c *converter) over(path string) *Mount {
	var best *Mount
	for i := range c.bundle.Spec.Mounts {
		m := &c.bundle.Spec.Mounts[i]
		if m.Destination != path && plan.Within(path, m.Destination) && (best == nil || len(m.Destination) >= len(best.Destination)) {
			best = m
		}
	}
	return best
}

// modeOption returns the mode of a tmpfs.
func modeOption(m *Mount) uint32 {
	for _, o := range m.Options {
		if v, ok := strings.CutPrefix(o, "mode="); ok {
			n, _ := strconv.ParseUint(v, 8, 32)
			return uint32(n)
		}
	}
	return 0o755
}

// file makes a file of the sandbox's own: in the root, or mounted.
func (c *converter) file(s *layout.Step) {
	op := s.Op
	e := Entry{Kind: EntryFile, Mode: 0o644, Data: string(op.Data), From: string(op.Src), At: op.At, Op: string(op.Kind)}
	if op.Mode != nil {
		e.Mode = uint32(*op.Mode)
	} else if op.Kind == plan.Copy {
		e.Mode = c.facts.Stat(string(op.Src)).Mode & 0o777
	}
	if op.Content != plan.ContentMount && c.inRoot(s, e) {
		return
	}
	ro := ""
	if op.RO {
		ro = "ro"
	}
	name := FilesDir + "/" + strconv.Itoa(c.files)
	c.files++
	c.entries(name, e)
	c.mount(s, Mount{Type: "bind", Source: name, Options: options("bind", ro, "nosuid", "nodev")})
}

// mask mounts an empty directory or file over what is there. Runtimes have masks of
// their own, with which a directory can be listed, and a file be written to.
func (c *converter) mask(s *layout.Step) {
	const noexec = "noexec"
	if s.Dir {
		c.mount(s, Mount{Type: "tmpfs", Source: "tmpfs", Options: options("ro", "nosuid", "nodev", noexec, "mode=0000", "size=4096")})
		return
	}
	name := FilesDir + "/" + strconv.Itoa(c.files)
	c.files++
	c.entries(name, Entry{Kind: EntryFile, At: s.Op.At, Op: string(s.Op.Kind)})
	c.mount(s, Mount{Type: "bind", Source: name, Options: options("bind", "ro", "nosuid", "nodev", noexec)})
}

// readonly makes a part of the sandbox read-only: the mount that it is, or else
// it becomes one; of mounts below it those that are parts of one on the host, or,
// if recursive, all.
func (c *converter) readonly(op *plan.Op, dst string) {
	spec := &c.bundle.Spec
	points, _ := c.facts.Mounts()
	found, src := false, ""
	if spec.Root.Path != RootDir {
		src = spec.Root.Path + dst
	}
	for i := range spec.Mounts {
		m := &spec.Mounts[i]
		if plan.Within(dst, m.Destination) {
			found, src = m.Destination == dst, m.Source+strings.TrimPrefix(dst, m.Destination)
		}
		part := dst == "/" && c.host[m.Destination] && m.Source == m.Destination && !slices.Contains(points, m.Source)
		if !plan.Within(m.Destination, dst) || m.Destination != dst && !part && !op.Recursive {
			continue
		}
		ro := "ro"
		for _, o := range m.Options {
			switch o {
			case "rbind":
				if op.Recursive {
					ro = "rro"
				}
			case "ro", "rro":
				ro = ""
			}
		}
		if ro != "" {
			m.Options = append([]string{ro}, m.Options...)
		}
	}
	if dst == "/" {
		spec.Root.Readonly = true
	} else if !found {
		spec.Linux.ReadonlyPaths = append(spec.Linux.ReadonlyPaths, dst)
	}
	if op.Recursive && !found && strings.HasPrefix(src, "/") {
		if at, ok := c.mountBelow(path.Clean(src)); ok {
			c.cannot(op.At, "remount_ro", "bind() that of its own, and remount_ro() that", "of %q only itself becomes read-only, and not what the host has mounted at %q", dst, at)
		}
	}
}

// chmod changes the mode of something of the bundle's own.
func (c *converter) chmod(s *layout.Step) {
	dst, mode := s.Target.Path, uint32(*s.Op.Mode)
	path := RootDir + strings.TrimSuffix(dst, "/")
	for i := range c.bundle.Spec.Mounts {
		m := &c.bundle.Spec.Mounts[i]
		switch {
		case m.Destination != dst:
		case m.Type == "tmpfs":
			for k, o := range m.Options {
				if strings.HasPrefix(o, "mode=") {
					m.Options[k] = fmt.Sprintf("mode=%04o", mode)
				}
			}
			if k, ok := c.entry[path]; ok {
				c.bundle.Entries[k].Mode = mode
			}
			return
		case strings.HasPrefix(m.Source, FilesDir+"/"):
			c.bundle.Entries[c.entry[m.Source]].Mode = mode
			return
		}
	}
	if i, ok := c.entry[path]; ok && c.bundle.Entries[i].Kind != EntrySymlink {
		e := &c.bundle.Entries[i]
		if e.Mode = mode; e.Op == "" { // more than a mount point now
			e.At, e.Op = s.Op.At, string(s.Op.Kind)
		}
		return
	}
	if s.Dir && c.over(dst) == nil && c.bundle.Spec.Root.Path == RootDir { // a parent of something
		c.entries(path, Entry{Kind: EntryDir, Mode: mode, At: s.Op.At, Op: "chmod"})
		return
	}
	c.cannot(s.Op.At, "chmod", "", "%q is made by the runtime, which gives it its own mode", s.Op.Dst)
}

func dirMode(op *plan.Op) uint32 {
	if op.Mode != nil {
		return uint32(*op.Mode)
	}
	if strings.HasSuffix(strings.TrimRight(string(op.Dst), "/"), "/tmp") {
		return 0o1777
	}
	return 0o755
}
