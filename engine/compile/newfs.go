package compile

// File systems that are the sandbox's own: tmpfs, proc, dev.

import (
	"strconv"
	"strings"

	"sbx/engine/host"
	"sbx/engine/layout"
	"sbx/engine/plan"
	"sbx/engine/program"
)

// newfs mounts a fresh file system, detached. Options are pairs of key and
// value; a value "" makes a flag.
func (c *compiler) newfs(kind string, attrs uint64, options ...string) program.Slot {
	fs := c.slot()
	c.add(program.Fsopen, c.str(kind), program.Imm(fsopenCloexec)).Out = int16(fs)
	if c.given() { // the peers' mounts have a name in the list of mounts
		c.config(fs, "source", kind)
	}
	for i := 0; i < len(options); i += 2 {
		c.config(fs, options[i], options[i+1])
	}
	return c.fsmount(fs, attrs)
}

func (c *compiler) given() bool { return c.plan.Order == plan.OrderGiven }

func (c *compiler) config(fs program.Slot, key, value string) *program.Inst {
	if value == "" {
		return c.add(program.Fsconfig, fs.Arg(), program.Imm(setFlag), c.str(key), program.Imm(0), program.Imm(0))
	}
	return c.add(program.Fsconfig, fs.Arg(), program.Imm(setString), c.str(key), c.str(value), program.Imm(0))
}

func (c *compiler) fsmount(fs program.Slot, attrs uint64) program.Slot {
	fd := c.slot()
	c.add(program.Fsconfig, fs.Arg(), program.Imm(cmdCreate), program.Imm(0), program.Imm(0), program.Imm(0))
	c.add(program.Fsmount, fs.Arg(), program.Imm(fsmountCloexec), program.Imm(attrs)).Out = int16(fd)
	c.close(fs)
	return fd
}

func (c *compiler) tmpfs(mode string, size, attrs uint64) program.Slot {
	var o []string
	if mode != "1777" { // tmpfs(5)'s default
		o = append(o, "mode", mode)
	}
	if size > 0 {
		o = append(o, "size", strconv.FormatUint(size, 10))
	}
	return c.newfs("tmpfs", attrs, o...)
}

func tmpfsMode(s *layout.Step) string { return strconv.FormatUint(dirMode(s), 8) }

// dirMode is the mode of a directory that a step makes.
func dirMode(s *layout.Step) uint64 {
	if s.Op.Mode != nil {
		return uint64(*s.Op.Mode)
	}
	if forAll(s) {
		return 0o1777
	}
	return 0o755
}

// forAll reports whether a step makes a directory for everybody's temporary files.
func forAll(s *layout.Step) bool {
	return strings.HasSuffix(strings.TrimRight(string(s.Op.Dst), "/"), "/tmp")
}

func (c *compiler) proc(s *layout.Step) {
	var fd program.Slot
	if c.prog.PIDNS {
		fd = c.newfs("proc", attrNosuid|attrNodev|attrNoexec)
	} else {
		fd = c.slot()
		c.add(program.OpenTree, program.Imm(atFDCWD), c.str("/proc"), program.Imm(openTreeClone|oCloexec|atRecursive)).Out = int16(fd)
		attrs := uint64(attrNosuid | attrNodev | attrNoexec)
		if c.given() {
			attrs = attrNosuid | attrNodev // a bind like others
		}
		c.setattr(fd, attrs, atRecursive)
	}
	old := c.attach(s, fd)
	ask := c.given() && (c.facts.UID == 0 || c.facts.Caps != 0) // as bubblewrap does
	if ask || (c.privileged() || c.facts.UID == 0) && c.facts.InitialUserNS {
		for _, name := range host.ProcOfRoot {
			if ask {
				in := c.add(program.Faccessat2, fd.Arg(), c.str(name), program.Imm(2), program.Imm(0x200)) // W_OK, AT_EACCESS
				in.Flags, in.Skip = program.FlagAnyErr, 4
			}
			sub := c.slot()
			c.add(program.OpenTree, fd.Arg(), c.str(name), program.Imm(openTreeClone|oCloexec|atRecursive)).Out = int16(sub)
			in := &c.prog.Insts[len(c.prog.Insts)-1]
			in.Errs, in.Skip = [2]uint8{eNOENT}, 3
			attrs := uint64(attrRdonly | attrNosuid | attrNodev | attrNoexec)
			if ask {
				attrs &^= attrNoexec // it has it where the rest of it has
			}
			c.setattr(sub, attrs, atRecursive)
			c.add(program.MoveMount, sub.Arg(), c.empty, fd.Arg(), c.str(name), program.Imm(moveEmptyPath))
			c.close(sub)
		}
	}
	c.close(old)
}

func (c *compiler) dev(s *layout.Step) {
	t := c.newfs("tmpfs", attrNosuid|attrNodev, "mode", "0755")
	old := c.attach(s, t)
	node := func(name, src string) {
		c.add(program.Mknodat, t.Arg(), c.str(name), program.Imm(modeReg|0o666), program.Imm(0))
		fd := c.slot()
		c.add(program.OpenTree, program.Imm(atFDCWD), c.str(src), program.Imm(openTreeClone|oCloexec)).Out = int16(fd)
		if s.Op.Bare {
			c.setattr(fd, attrNosuid, 0)
		}
		c.add(program.MoveMount, fd.Arg(), c.empty, t.Arg(), c.str(name), program.Imm(moveEmptyPath))
		c.close(fd)
	}
	for _, name := range layout.DevNodes {
		node(name, "/dev/"+name)
	}
	if !s.Op.Bare && c.facts.Lstat("/dev/fuse").Type == host.Device {
		node("fuse", "/dev/fuse")
	}
	if c.facts.TTY != "" {
		node("console", c.facts.TTY)
	}
	for _, l := range layout.DevLinks {
		c.add(program.Symlinkat, c.str(l.Target), t.Arg(), c.str(l.Name))
	}
	shm := 0o1777
	if s.Op.Bare {
		shm = 0o755
	}
	c.add(program.Mkdirat, t.Arg(), c.str("shm"), program.Imm(shm))
	c.add(program.Mkdirat, t.Arg(), c.str("pts"), program.Imm(0o755))
	pts := c.newfs("devpts", attrNosuid|attrNoexec, "newinstance", "", "ptmxmode", "0666", "mode", "0620")
	c.add(program.MoveMount, pts.Arg(), c.empty, t.Arg(), c.str("pts"), program.Imm(moveEmptyPath))
	c.close(pts)
	c.close(old)
}
