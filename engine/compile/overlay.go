package compile

// Overlays: those that a plan asks for, and the skeletons that add mount points
// to read-only trees.

import (
	"strconv"
	"strings"

	"sbx/engine/host"
	"sbx/engine/layout"
	"sbx/engine/program"
)

// layer is one directory of an overlay: an absolute path on the host, or a name
// in scratch, which is the working directory while the overlay is made.
type layer string

// maxString is the longest value fsconfig(2) takes, without its NUL.
const maxString = 255

// overlayOptions make layers safe to stack again in another order or elsewhere:
// nothing in an upper directory may depend on which layers lay below it.
// userxattr keeps the marks in attributes that an ordinary user can write too.
var overlayOptions = [...][2]string{{"userxattr", ""}, {"index", "off"}, {"metacopy", "off"}, {"xino", "off"}}

// overlay makes the overlay mount of a step and returns it, detached.
func (c *compiler) overlay(s *layout.Step) program.Slot {
	op := s.Op
	var top []layer
	mode := dirModeOf(c.facts.Stat(string(op.Lower[len(op.Lower)-1])).Mode) // the topmost directory's counts
	if len(s.Extra) > 0 {
		top = append(top, c.entries(s.Extra, mode))
	}
	for i := len(op.Lower) - 1; i >= 0; i-- {
		top = append(top, layer(op.Lower[i]))
	}
	attrs := ownAttrs(op)
	var upper, work layer
	switch {
	case op.UpperTmpfs:
		name := c.aside()
		c.add(program.Mkdirat, c.scratch.Arg(), c.str(name), program.Imm(0o755))
		upper, work = layer(name+"/upper"), layer(name+"/work")
		if forAll(s) {
			mode = 0o1777
		}
		c.mkdir(c.scratch.Arg(), c.str(string(upper)), mode, [2]uint8{})
		c.add(program.Mkdirat, c.scratch.Arg(), c.str(string(work)), program.Imm(0o700))
	case op.Upper != "":
		upper, work = layer(op.Upper), layer(op.Work)
		if work == "" {
			work = layer(op.DefaultWork())
			outer := c.host(string(work))
			c.add(program.Mkdirat, program.Imm(atFDCWD), c.str(string(work)), program.Imm(0o700)).Errs = [2]uint8{eEXIST}
			c.ref = outer
			c.prog.Cleanup = append(c.prog.Cleanup, program.Lock{Path: string(work), Ref: c.ref, Work: true})
		}
		if !c.becomes() && !c.prog.Loose { // else nobody would hold it
			c.prog.Locks = append(c.prog.Locks, program.Lock{Path: string(op.Upper), Ref: c.ref})
			if op.Work != "" { // else it goes with the upper
				c.prog.Locks = append(c.prog.Locks, program.Lock{Path: string(work), Ref: c.ref, Work: true})
			}
		}
	default:
		attrs |= attrRdonly
		if len(top) == 1 { // the kernel wants two where nothing is writable
			name := c.aside()
			c.add(program.Mkdirat, c.scratch.Arg(), c.str(name), program.Imm(0o755))
			top = append(top, layer(name))
		}
	}
	return c.overlayMount(top, -1, upper, work, attrs, op.Exact)
}

// overlayMount makes an overlay of layers, top first. If bottom is a slot, the
// last of them is open there. With exact no symlink is followed on the way to any.
func (c *compiler) overlayMount(layers []layer, bottom program.Slot, upper, work layer, attrs uint64, exact bool) program.Slot {
	c.add(program.Fchdir, c.scratch.Arg())
	fs, fd := c.slot(), c.slot()
	c.add(program.Fsopen, c.str("overlay"), program.Imm(fsopenCloexec)).Out = int16(fs)
	if c.given() {
		c.config(fs, "source", "overlay")
	}
	first := len(c.prog.Insts)
	for i, l := range layers {
		if i == len(layers)-1 && bottom >= 0 {
			c.layerFD(fs, "lowerdir+", bottom)
		} else {
			c.layer(fs, "lowerdir+", l, exact)
		}
	}
	for _, o := range overlayOptions {
		c.config(fs, o[0], o[1])
	}
	if upper != "" {
		c.layer(fs, "upperdir", upper, exact)
		c.layer(fs, "workdir", work, exact)
	}
	c.add(program.Fsconfig, fs.Arg(), program.Imm(cmdCreate), program.Imm(0), program.Imm(0), program.Imm(0))
	c.add(program.Fsmount, fs.Arg(), program.Imm(fsmountCloexec), program.Imm(attrs)).Out = int16(fd)
	c.add(program.Close, fs.Arg())

	// Kernels before lowerdir+ (6.7) say EINVAL to it, those before 6.5 not before the end.
	skip := c.add(program.Getpid)
	skip.Flags = program.FlagSkipOK
	from := len(c.prog.Insts)
	for i := first; i < from; i++ {
		if in := &c.prog.Insts[i]; in.Call == program.Fsconfig {
			in.Errs[0] = eINVAL
			in.Skip = int16(from - i - 1)
		}
	}
	c.oldOverlay(fs, fd, layers, bottom, upper, work, attrs, exact)
	c.prog.Insts[from-1].Skip = int16(len(c.prog.Insts) - from)
	c.free = append(c.free, fs)
	return fd
}

// layer gives the overlay one directory. A path that fsconfig would not take as
// it is, since it is too long or has backslashes, goes in by file descriptor, and
// so does one that is to be exact.
func (c *compiler) layer(fs program.Slot, key string, l layer, exact bool) {
	if exact && l[0] == '/' {
		fd := c.exact(c.str(string(l)), oPath|oDirectory(c.facts.Arch))
		c.layerFD(fs, key, fd)
		c.close(fd)
		return
	}
	if len(l) <= maxString && !strings.Contains(string(l), `\`) {
		c.config(fs, key, string(l))
		return
	}
	fd := c.slot()
	c.add(program.Openat, program.Imm(atFDCWD), c.str(string(l)), program.Imm(oPath|oCloexec|oDirectory(c.facts.Arch))).Out = int16(fd)
	c.layerFD(fs, key, fd)
	c.close(fd)
}

// layerFD gives the overlay a directory that is open.
func (c *compiler) layerFD(fs program.Slot, key string, fd program.Slot) {
	path := c.fdPath(fd)
	c.add(program.Fsconfig, fs.Arg(), program.Imm(setString), c.str(key), path, program.Imm(0))
}

// fdPath writes the path of what a slot has open.
func (c *compiler) fdPath(fd program.Slot) program.Arg {
	const dir = "/proc/self/fd/"
	off := len(c.prog.Arena)
	path := c.prog.Bytes(dir + strings.Repeat("\x00", 21))
	c.add(program.Decimal, fd.Arg(), program.Imm(off+len(dir)))
	return path
}

// oldOverlay mounts with mount(2) on a directory in scratch, and takes the mount
// from there as a detached one. All its layers have to be in one string, which the
// kernel cuts without a word where it is longer than a page, and they may have any
// bytes in their names: what goes there are the names of symlinks to them, in scratch.
// Their numbers leave room for as many layers as the kernel takes.
func (c *compiler) oldOverlay(fs, fd program.Slot, layers []layer, bottom program.Slot, upper, work layer, attrs uint64, exact bool) {
	c.add(program.Close, fs.Arg())
	var open []program.Slot
	link := func(l layer, at program.Slot) string {
		if at < 0 && l[0] != '/' {
			return string(l)
		}
		name := c.aside()
		target := c.str(string(l))
		if at < 0 && exact {
			at = c.exact(target, oPath|oDirectory(c.facts.Arch))
			open = append(open, at)
		}
		if at >= 0 {
			target = c.fdPath(at)
		}
		c.add(program.Symlinkat, target, c.scratch.Arg(), c.str(name))
		return name
	}
	var b strings.Builder
	for _, o := range overlayOptions {
		b.WriteString(o[0])
		if o[1] != "" {
			b.WriteString("=" + o[1])
		}
		b.WriteByte(',')
	}
	if upper != "" {
		b.WriteString("upperdir=" + link(upper, -1) + ",workdir=" + link(work, -1) + ",")
	}
	b.WriteString("lowerdir=")
	for i, l := range layers {
		at := program.Slot(-1)
		if i > 0 {
			b.WriteByte(':')
		}
		if i == len(layers)-1 {
			at = bottom
		}
		b.WriteString(link(l, at))
	}
	name := c.str(c.aside())
	flags := uint64(msNosuid | msNodev)
	if attrs&attrRdonly != 0 {
		flags |= msRdonly
	}
	c.add(program.Mkdirat, program.Imm(atFDCWD), name, program.Imm(0o755))
	c.add(program.Mount, c.str("overlay"), name, c.str("overlay"), program.Imm(flags), c.prog.Str(b.String()))
	for _, at := range open {
		c.close(at)
	}
	c.add(program.OpenTree, program.Imm(atFDCWD), name, program.Imm(openTreeClone|oCloexec)).Out = int16(fd)
	c.add(program.Umount2, name, program.Imm(mntDetach))
	c.add(program.Unlinkat, program.Imm(atFDCWD), name, program.Imm(0x200)) // AT_REMOVEDIR
}

// dirModeOf is the mode to give a directory that stands for one of mode m.
func dirModeOf(m uint32) uint64 {
	if m == 0 { // a new one, or one of which nothing is known
		return 0o755
	}
	return uint64(m)
}

// entries makes what a skeleton adds, as a directory of scratch.
func (c *compiler) entries(list []*layout.Entry, mode uint64) layer {
	name := c.aside()
	c.mkdir(c.scratch.Arg(), c.str(name), mode, [2]uint8{})
	c.fill(c.scratch.Arg(), name+"/", list)
	return layer(name)
}

// fill makes the entries below a directory of the sandbox's own, where nothing
// but what the program itself made is on the way.
func (c *compiler) fill(dir program.Arg, prefix string, list []*layout.Entry) {
	ref := c.ref
	made := map[string]bool{}
	for _, e := range list {
		if made[e.Rel] {
			continue
		}
		made[e.Rel] = true
		name := c.prog.Str(prefix + e.Rel)
		switch {
		case e.Step != nil:
			c.op(e.Step)
			c.debug(e.Step)
			c.make(e.Step, dir, name)
			c.ref = ref
		case e.Kind == host.Dir:
			c.mkdir(dir, name, dirModeOf(e.Mode), [2]uint8{})
		default:
			c.add(program.Mknodat, dir, name, program.Imm(modeReg|0o644), program.Imm(0))
		}
	}
}

// sources opens the directories that a step's skeletons show, before any of them
// is covered. By path each could be a symlink to anywhere by now.
func (c *compiler) sources(s *layout.Step) []program.Slot {
	var list []program.Slot
	base := program.Slot(-1)
	for i, sk := range s.Skeletons {
		if i == 0 {
			base = c.slot()
			c.add(program.Openat, program.Imm(atFDCWD), c.str(sk.Base), program.Imm(oPath|oCloexec|oDirectory(c.facts.Arch))).Out = int16(base)
			if fd := s.Op.SrcFD; fd != nil {
				c.sameFile(base, *fd)
			}
		}
		fd := c.slot()
		rel := strings.Trim(strings.TrimPrefix(sk.Source, sk.Base), "/")
		if rel == "" {
			rel = "."
		}
		c.add(program.Openat2, base.Arg(), c.prog.Str(rel), c.how, program.Imm(24)).Out = int16(fd)
		list = append(list, fd)
	}
	if base >= 0 {
		c.close(base)
	}
	return list
}

// skeletons mounts those of a step.
func (c *compiler) skeletons(s *layout.Step) {
	sources := c.sources(s)
	for i, sk := range s.Skeletons {
		c.skeleton(s, sk, sources[i])
		c.close(sources[i])
	}
}

// skeleton covers a directory of a read-only bind with itself, source, and the
// entries that later steps need.
func (c *compiler) skeleton(s *layout.Step, sk *layout.Skeleton, source program.Slot) {
	t := &layout.Step{Op: s.Op, Index: s.Index, Dir: true, Target: layout.Target{Path: sk.Path, Exists: host.Dir, Place: layout.ReadOnly}}
	fd := c.skeletonMount(t, sk, source)
	old := c.attach(t, fd)
	if sk.UseMirror() {
		c.fillMirror(s, sk, source, fd)
	}
	c.close(old)
}

// skeletonMount makes the mount of a skeleton; a mirror is still to be filled,
// once it is attached.
func (c *compiler) skeletonMount(s *layout.Step, sk *layout.Skeleton, source program.Slot) program.Slot {
	if sk.UseMirror() {
		return c.tmpfs(strconv.FormatUint(dirModeOf(sk.Mode), 8), 0, attrNosuid|attrNodev)
	}
	top := c.entries(sk.Entries, dirModeOf(sk.Mode))
	return c.overlayMount([]layer{top, layer(sk.Source)}, source, "", "", bindAttrs(s.Op)|attrRdonly, false)
}

// fillMirror binds the entries of the source one by one, adds the skeleton's,
// and makes the result read-only.
func (c *compiler) fillMirror(s *layout.Step, sk *layout.Skeleton, source, t program.Slot) {
	for _, e := range sk.Mirror {
		name := c.prog.Str(e.Name)
		switch e.Type {
		case host.Symlink:
			c.add(program.Symlinkat, c.prog.Str(e.Target), t.Arg(), name)
			continue
		case host.Dir:
			c.add(program.Mkdirat, t.Arg(), name, program.Imm(0o755))
		default:
			c.add(program.Mknodat, t.Arg(), name, program.Imm(modeReg|0o644), program.Imm(0))
		}
		fd := c.slot()
		in := c.add(program.OpenTree, source.Arg(), name, program.Imm(openTreeClone|oCloexec|atRecursive|atSymlinkNofollow))
		in.Out, in.Errs, in.Skip = int16(fd), [2]uint8{eNOENT}, 3 // gone meanwhile
		c.setattr(fd, bindAttrs(s.Op)|attrRdonly, atRecursive)
		c.add(program.MoveMount, fd.Arg(), c.empty, t.Arg(), name, program.Imm(moveEmptyPath))
		c.close(fd)
	}
	c.fill(t.Arg(), "", sk.Entries)
	c.add(program.MountSetattr, t.Arg(), c.empty, program.Imm(atEmptyPath), c.attr(attrRdonly, 0), program.Imm(32))
}
