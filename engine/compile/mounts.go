package compile

// The operations: what each step of the layout becomes.

import (
	"strconv"
	"strings"

	"sbx/engine/host"
	"sbx/engine/layout"
	"sbx/engine/plan"
	"sbx/engine/program"
)

// mountRoot makes the root of the sandbox. It is mounted in scratch, a tmpfs that
// holds the caller's root as well and is the root of the namespace till the end.
// So nothing is ever mounted over or below the caller's root, which this process
// keeps as its own (chroot(2)): paths of the host go on meaning what they meant,
// and a copy of any of its trees is what the host has there.
func (c *compiler) mountRoot(l *layout.Layout) {
	c.key("", "tmpfs", "/")
	if c.given() {
		c.scratch = c.tmpfs("1777", 0, attrNosuid|attrNodev) // what is mounted from there tells no mode
	} else {
		c.scratch = c.tmpfs("0700", 0, attrNosuid|attrNodev)
	}
	old := c.slot() // by descriptor: by name it would be what is mounted over it
	c.add(program.Openat, program.Imm(atFDCWD), c.str("/"), program.Imm(oPath|oDirectory(c.facts.Arch)|oCloexec)).Out = int16(old)
	c.add(program.MoveMount, c.scratch.Arg(), c.empty, program.Imm(atFDCWD), c.str("/"), program.Imm(moveEmptyPath))
	c.add(program.Fchdir, c.scratch.Arg())
	c.add(program.Mkdirat, c.scratch.Arg(), c.str(oldName), program.Imm(0o700))
	mode := 0o700
	if c.given() {
		mode = 0o755 // it may be the root itself
	}
	c.add(program.Mkdirat, c.scratch.Arg(), c.str(newName), program.Imm(mode))
	c.add(program.PivotRoot, c.dot, c.str(oldName))
	c.add(program.Fchdir, old.Arg())
	c.add(program.Chroot, c.dot)
	c.close(old)
	s := l.Root
	if s == nil {
		c.key("", "tmpfs", "/")
		if c.given() { // a part of scratch will do, as for bubblewrap, and takes less time
			c.root = c.slot()
			c.add(program.OpenTree, c.scratch.Arg(), c.str(newName), program.Imm(openTreeClone|oCloexec)).Out = int16(c.root)
		} else {
			c.root = c.tmpfs("0755", 0, attrNosuid|attrNodev)
		}
		c.moveToRoot(c.root)
		return
	}
	c.op(s)
	c.debug(s)
	rest, sources := s.Skeletons, c.sources(s)
	switch {
	case len(rest) > 0 && rest[0].Path == "/":
		c.root = c.skeletonMount(s, rest[0], sources[0])
		rest = rest[1:]
	case s.Op.Kind == plan.Tmpfs || s.Op.Kind == plan.Mkdir: // the latter with a mode
		c.root = c.tmpfs(tmpfsMode(s), s.Op.Size, ownAttrs(s.Op))
	case s.Op.Kind == plan.Overlay:
		c.root = c.overlay(s)
	default:
		c.root = c.clone(s)
	}
	c.moveToRoot(c.root)
	if len(s.Skeletons) > len(rest) && s.Skeletons[0].UseMirror() {
		c.fillMirror(s, s.Skeletons[0], sources[0], c.root)
	}
	for i, sk := range rest {
		c.skeleton(s, sk, sources[len(sources)-len(rest)+i])
	}
	for _, fd := range sources {
		c.close(fd)
	}
}

// Names in scratch: of the caller's root, and of the sandbox's.
const (
	oldName = "old"
	newName = "new"
)

func (c *compiler) moveToRoot(s program.Slot) {
	c.add(program.MoveMount, s.Arg(), c.empty, c.scratch.Arg(), c.str(newName), program.Imm(moveEmptyPath))
}

// over reports whether a symlink or file is made aside and mounted over what is
// at its destination, since that is not the sandbox's own to replace.
func over(s *layout.Step) bool {
	t := &s.Target
	switch {
	case s.Done || t.Ready || s.Op.Content == plan.ContentThrough:
		return false
	case s.Op.Content == plan.ContentMount:
		return true
	}
	return t.Exists != host.Missing || t.Place == layout.Writable && !t.Direct
}

// step compiles one operation.
func (c *compiler) step(s *layout.Step) {
	if s.Done && s.Op.Kind != plan.RemountRO || s.Target.Ready {
		if s.Done && len(s.Target.Make) > 0 { // it is there, but not what a ".." on the way follows
			c.op(s)
			c.makeDirs(s)
		}
		return
	}
	c.op(s)
	c.debug(s)
	for _, path := range s.Hold {
		c.bindSelf(path, nil, 0)
	}
	switch s.Op.Kind {
	case plan.Bind:
		c.mount(s, c.clone(s))
	case plan.Tmpfs:
		c.mount(s, c.tmpfs(tmpfsMode(s), s.Op.Size, ownAttrs(s.Op)))
	case plan.Overlay:
		c.mount(s, c.overlay(s))
	case plan.Mqueue:
		c.mount(s, c.newfs("mqueue", attrNosuid|attrNodev|attrNoexec))
	case plan.Proc:
		c.proc(s)
	case plan.Dev:
		c.dev(s)
	case plan.Mkdir:
		c.makeDirs(s)
		c.mkdir(c.dir(s.Target.Path), c.name(s.Target.Path), dirMode(s), created(s))
	case plan.Symlink, plan.Write, plan.Copy:
		c.content(s)
	case plan.Mask:
		c.mask(s)
	case plan.Chmod:
		c.chmod(s)
	case plan.RemountRO:
		c.remount(s)
	}
	if len(s.Skeletons) > 0 {
		c.skeletons(s)
	}
}

// debug logs the operation, before it is done, from the child itself.
func (c *compiler) debug(s *layout.Step) {
	if c.opts.Debug {
		text := s.Op.String()
		if c.opts.Describe != nil {
			text = c.opts.Describe(s.Op)
		}
		line := plan.Printable("+ "+text) + "\n"
		c.add(program.WriteCall, program.Imm(2), c.prog.Bytes(line), program.Imm(len(line))).Flags = program.FlagAnyErr
	}
}

// dir returns the directory of a canonical path of the sandbox, opened below
// the root.
func (c *compiler) dir(path string) program.Arg {
	i := strings.LastIndexByte(path, '/')
	if i <= 0 {
		return c.root.Arg()
	}
	d := path[:i]
	if c.dirSlot >= 0 && c.dirPath == d {
		return c.dirSlot.Arg()
	}
	if c.dirSlot >= 0 {
		c.close(c.dirSlot)
	}
	c.dirSlot, c.dirPath = c.slot(), d
	c.add(program.Openat2, c.root.Arg(), c.prog.Str(d[1:]), c.how, program.Imm(24)).Out = int16(c.dirSlot)
	return c.dirSlot.Arg()
}

// covered forgets the opened directory if a mount at path hides it.
func (c *compiler) covered(path string) {
	if c.dirSlot >= 0 && plan.Within(c.dirPath, path) {
		c.close(c.dirSlot)
		c.dirSlot = -1
	}
}

// name is the last component of a canonical path.
func (c *compiler) name(path string) program.Arg {
	return c.prog.Str(path[strings.LastIndexByte(path, '/')+1:])
}

// created are the errnos to expect where a thing is made: on the host somebody
// else may have made it meanwhile, and a source that was made just now may be seen
// there through an overlay.
func created(s *layout.Step) [2]uint8 {
	if s.Target.Place == layout.Writable || s.Op.CreateSrc {
		return [2]uint8{eEXIST}
	}
	return [2]uint8{}
}

// mkdir makes a directory of just that mode: mkdir(2) leaves the set-id bits out.
func (c *compiler) mkdir(dir, name program.Arg, mode uint64, expected [2]uint8) {
	in := c.add(program.Mkdirat, dir, name, program.Imm(mode&^setID))
	in.Errs = expected
	if mode&setID != 0 {
		in.Skip = 1 // what is there already keeps its mode
		c.add(program.Fchmodat, dir, name, program.Imm(mode))
	}
}

func (c *compiler) makeDirs(s *layout.Step) {
	for _, m := range s.Target.Make {
		c.add(program.Mkdirat, c.dir(m), c.name(m), program.Imm(modeOr(s.Op.ParentMode, 0o755))).Errs = created(s)
	}
}

// modeOr returns a mode that may be given.
func modeOr(m *plan.Mode, otherwise uint64) uint64 {
	if m != nil {
		return uint64(*m)
	}
	return otherwise
}

// mountPoint makes what a mount goes onto, where it is missing.
func (c *compiler) mountPoint(s *layout.Step) (dir, name program.Arg) {
	c.makeDirs(s)
	path := s.Target.Path
	dir, name = c.dir(path), c.name(path)
	if s.Target.Exists == host.Missing && s.Target.Place != layout.ReadOnly {
		if s.Dir {
			c.add(program.Mkdirat, dir, name, program.Imm(0o755)).Errs = created(s)
		} else {
			c.add(program.Mknodat, dir, name, program.Imm(modeReg|modeOr(c.plan.PointMode, 0o644)), program.Imm(0)).Errs = created(s)
		}
	}
	return dir, name
}

// mount attaches a mount at the step's target, and closes it.
func (c *compiler) mount(s *layout.Step, fd program.Slot) {
	c.close(c.attach(s, fd))
}

// attach moves a mount to the step's target, and returns what is to be closed. At
// / the mount becomes the root, over the one so far, which is no longer needed.
func (c *compiler) attach(s *layout.Step, fd program.Slot) (old program.Slot) {
	if s.Target.Path == "/" {
		c.moveToRoot(fd)
		c.covered("/")
		old, c.root = c.root, fd
		return old
	}
	dir, name := c.mountPoint(s)
	c.add(program.MoveMount, fd.Arg(), c.empty, dir, name, program.Imm(moveEmptyPath))
	c.covered(s.Target.Path)
	return fd
}

// clone makes the detached copy of a tree that a bind mounts.
func (c *compiler) clone(s *layout.Step) program.Slot {
	op := s.Op
	fd := c.slot()
	if op.MountFD != nil {
		c.add(program.Fcntl, program.Imm(*op.MountFD), program.Imm(fDupFDCloexec), program.Imm(3)).Out = int16(fd)
		return fd
	}
	flags := uint64(openTreeClone | oCloexec | atRecursive)
	if op.NoFollow {
		flags |= atSymlinkNofollow
	}
	if op.Inside {
		flags |= atSymlinkNofollow
		if s.Source == "/" {
			c.add(program.OpenTree, c.root.Arg(), c.empty, program.Imm(flags|atEmptyPath)).Out = int16(fd)
		} else {
			c.add(program.OpenTree, c.dir(s.Source), c.name(s.Source), program.Imm(flags)).Out = int16(fd)
		}
	} else {
		c.makeSource(op)
		if src := c.str(c.facts.Source(op)); op.SrcFD != nil {
			at := c.slot()
			c.add(program.Openat, program.Imm(atFDCWD), src, program.Imm(oPath|oCloexec)).Out = int16(at)
			c.sameFile(at, *op.SrcFD)
			c.add(program.OpenTree, at.Arg(), c.empty, program.Imm(flags|atEmptyPath)).Out = int16(fd)
			c.close(at)
		} else if op.Exact {
			how := uint64(oPath)
			if op.NoFollow {
				how |= oNofollow(c.facts.Arch)
			}
			at := c.exact(src, how)
			c.add(program.OpenTree, at.Arg(), c.empty, program.Imm(flags|atEmptyPath)).Out = int16(fd)
			c.close(at)
		} else {
			c.add(program.OpenTree, program.Imm(atFDCWD), src, program.Imm(flags)).Out = int16(fd)
		}
	}
	c.setattr(fd, bindAttrs(op), atRecursive)
	return fd
}

// exact opens a path of the host that no symlink is to be followed on.
func (c *compiler) exact(path program.Arg, flags uint64) program.Slot {
	fd := c.slot()
	how := c.prog.Words(flags|oCloexec, 0, resolveNoSymlinks)
	c.add(program.Openat2, program.Imm(atFDCWD), path, how, program.Imm(24)).Out = int16(fd)
	return fd
}

// sameFile has the program fail unless what was opened by the path of the
// caller's descriptor fd is the file that it stands for. The descriptor itself
// is of the caller's mount namespace, of which nothing can be mounted here, and
// its path is what whoever owns a directory on the way has made of it by now.
func (c *compiler) sameFile(at program.Slot, fd int) {
	const ino, dev, size = 32, 136, 256 // in struct statx, statx(2)
	var words [size / 8]uint64
	is, want := c.prog.Words(words[:]...), c.prog.Words(words[:]...)
	c.add(program.Statx, program.Imm(fd), c.empty, program.Imm(atEmptyPath), program.Imm(statxIno), want)
	c.add(program.Statx, at.Arg(), c.empty, program.Imm(atEmptyPath), program.Imm(statxIno), is)
	c.add(program.Same, program.Imm(is.Offset()+ino), program.Imm(want.Offset()+ino))
	c.add(program.Same, program.Imm(is.Offset()+dev), program.Imm(want.Offset()+dev))
}

// makeSource makes the source of a bind, with its parents, where it is missing
// and shall be made.
func (c *compiler) makeSource(op *plan.Op) {
	if !op.CreateSrc {
		return
	}
	src := c.facts.Source(op)
	for i := 1; i <= len(src); i++ {
		if (i == len(src) || src[i] == '/') && c.facts.Lstat(src[:i]).Type == host.Missing {
			outer := c.host(src[:i])
			at, name := program.Imm(atFDCWD), src[:i]
			var parent program.Slot
			if op.Exact {
				slash := strings.LastIndexByte(name, '/')
				parent = c.exact(c.str(name[:max(slash, 1)]), oPath)
				at, name = parent.Arg(), name[slash+1:]
			}
			c.add(program.Mkdirat, at, c.str(name), program.Imm(0o700)).Errs = [2]uint8{eEXIST}
			if op.Exact {
				c.close(parent)
			}
			c.ref = outer
		}
	}
}

// setattr sets attributes of a detached mount, and cuts it off from what is
// mounted or unmounted on the host later.
func (c *compiler) setattr(fd program.Slot, attrs, recursive uint64) {
	c.add(program.MountSetattr, fd.Arg(), c.empty, program.Imm(atEmptyPath|recursive), c.attr(attrs, c.propagation()), program.Imm(32))
}

// propagation is that of binds.
func (c *compiler) propagation() uint64 {
	if c.plan.Propagation == plan.PropagationPrivate {
		return msPrivate
	}
	return msSlave
}

// bindAttrs are the mount attributes of a bind.
func bindAttrs(op *plan.Op) uint64 {
	attrs := uint64(0)
	if !op.Suid {
		attrs |= attrNosuid
	}
	if op.RO {
		attrs |= attrRdonly
	}
	if !devices(op) {
		attrs |= attrNodev
	}
	return attrs
}

// ownAttrs are those of a file system of the sandbox's own.
func ownAttrs(op *plan.Op) uint64 {
	attrs := uint64(attrNosuid | attrNodev)
	if op.Suid {
		attrs &^= attrNosuid
	}
	if op.Devices != nil && *op.Devices {
		attrs &^= attrNodev
	}
	return attrs
}

// devices reports whether device nodes work below a bind.
func devices(op *plan.Op) bool {
	if op.Devices != nil {
		return *op.Devices
	}
	src := string(op.Src)
	return src == "/" || src == "/dev" || strings.HasPrefix(src, "/dev/")
}

// content makes a symlink, or a file of the sandbox's own.
func (c *compiler) content(s *layout.Step) {
	if !over(s) {
		c.makeDirs(s)
		c.make(s, c.dir(s.Target.Path), c.name(s.Target.Path))
		return
	}
	name := c.str(c.aside())
	c.make(s, c.scratch.Arg(), name)
	attrs := uint64(0)
	if s.Op.Content == plan.ContentMount {
		attrs = bindAttrs(s.Op)
	}
	c.mountAside(s, name, attrs)
}

// aside returns a new name in scratch.
func (c *compiler) aside() string {
	c.serial++
	return strconv.Itoa(c.serial)
}

// mountAside mounts the thing at name in scratch over the step's target.
func (c *compiler) mountAside(s *layout.Step, name program.Arg, attrs uint64) {
	fd := c.slot()
	c.add(program.OpenTree, c.scratch.Arg(), name, program.Imm(openTreeClone|oCloexec|atSymlinkNofollow)).Out = int16(fd)
	if attrs != 0 {
		c.setattr(fd, attrs, 0)
	}
	c.mount(s, fd)
}

// make makes the step's symlink, file or directory as name in dir.
func (c *compiler) make(s *layout.Step, dir, name program.Arg) {
	op := s.Op
	switch op.Kind {
	case plan.Symlink:
		c.add(program.Symlinkat, c.prog.Str(string(op.Target)), dir, name)
		return
	case plan.Mkdir:
		c.mkdir(dir, name, dirMode(s), [2]uint8{})
		return
	}
	fd := c.slot()
	mode := uint64(0o644)
	if op.Mode != nil {
		mode = uint64(*op.Mode)
	} else if op.Kind == plan.Copy {
		mode = uint64(c.facts.Stat(string(op.Src)).Mode & 0o777)
	}
	excl := uint64(oExcl)
	if op.Content == plan.ContentThrough {
		excl = oTrunc | oNonblock // a FIFO that nobody reads is a fault; nothing ends the wait for a reader
	}
	c.add(program.Openat, dir, name, program.Imm(oWronly|oCreat|excl|oCloexec|oNofollow(c.facts.Arch)), program.Imm(mode)).Out = int16(fd)
	if op.Kind == plan.Write {
		if n := len(op.Data); n > 0 {
			c.add(program.WriteCall, fd.Arg(), c.prog.Bytes(string(op.Data)), program.Imm(n)).Flags = program.FlagAll
		}
	} else {
		var src program.Slot
		if op.Exact {
			src = c.exact(c.str(string(op.Src)), oNonblock)
		} else {
			src = c.slot()
			c.add(program.Openat, program.Imm(atFDCWD), c.str(string(op.Src)), program.Imm(oNonblock|oCloexec)).Out = int16(src) // it may have become a FIFO
		}
		c.add(program.Sendfile, fd.Arg(), src.Arg(), program.Imm(0), program.Imm(0x7ffff000)).Flags = program.FlagLoop
		c.close(src)
	}
	c.close(fd)
	if mode&setID != 0 && op.Content != plan.ContentThrough { // writing cleared them
		c.add(program.Fchmodat, dir, name, program.Imm(mode))
	}
}

// mask mounts something empty and unreadable over the target.
func (c *compiler) mask(s *layout.Step) {
	name := c.str(c.aside())
	if s.Dir {
		c.add(program.Mkdirat, c.scratch.Arg(), name, program.Imm(0))
	} else {
		c.add(program.Mknodat, c.scratch.Arg(), name, program.Imm(modeReg), program.Imm(0))
	}
	c.mountAside(s, name, attrRdonly|attrNosuid|attrNodev|attrNoexec)
}

func (c *compiler) chmod(s *layout.Step) {
	dir, name := c.root.Arg(), c.dot
	if s.Target.Path != "/" {
		dir, name = c.dir(s.Target.Path), c.name(s.Target.Path)
	}
	if uid, gid := s.Op.UID, s.Op.GID; uid != nil || gid != nil { // first, as it takes set-id bits away
		same := ^uint32(0)
		if uid == nil {
			uid = &same
		}
		if gid == nil {
			gid = &same
		}
		c.add(program.Fchownat, dir, name, program.Imm(*uid), program.Imm(*gid), program.Imm(atSymlinkNofollow))
	}
	c.add(program.Fchmodat, dir, name, program.Imm(uint32(*s.Op.Mode)))
}

func (c *compiler) remount(s *layout.Step) {
	attrs := uint64(attrRdonly)
	if s.Op.Devices != nil && !*s.Op.Devices {
		attrs |= attrNosuid | attrNodev
	}
	ro := c.attr(attrs, 0)
	below := uint64(0)
	if s.Op.Recursive {
		below = atRecursive
	}
	path := s.Target.Path
	switch {
	case path == "/":
		c.add(program.MountSetattr, c.root.Arg(), c.empty, program.Imm(atEmptyPath|below), ro, program.Imm(32))
	case s.Done:
		c.add(program.MountSetattr, c.dir(path), c.name(path), program.Imm(atSymlinkNofollow|below), ro, program.Imm(32))
	default:
		c.bindSelf(path, &ro, below)
	}
}

// bindSelf binds what is at a path of the sandbox onto itself, with all that is
// mounted below it. attrs, where not nil, are for the mount itself, and with
// below, atRecursive, for those below it, too.
func (c *compiler) bindSelf(path string, attrs *program.Arg, below uint64) {
	fd := c.slot()
	c.add(program.OpenTree, c.dir(path), c.name(path), program.Imm(openTreeClone|oCloexec|atRecursive|atSymlinkNofollow)).Out = int16(fd)
	if attrs != nil {
		c.add(program.MountSetattr, fd.Arg(), c.empty, program.Imm(atEmptyPath|below), *attrs, program.Imm(32))
	}
	c.add(program.MoveMount, fd.Arg(), c.empty, c.dir(path), c.name(path), program.Imm(moveEmptyPath))
	c.covered(path)
	c.close(fd)
}
