package compile

// Pty: a terminal of the command's own, pty(7).

import (
	"sbx/engine/layout"
	"sbx/engine/plan"
	"sbx/engine/program"
)

// Pty has the command run on a pseudo-terminal of its own, as the leader of a
// session that it controls. The pair is one of the sandbox's own /dev/pts where
// dev() makes that, and else of the host's.
//
// Once the sandbox is made, the program sends one message with file descriptors
// through Sock, and waits for one byte before it executes the command: the
// controlling side of the pair, the command's side, and with Namespaces one
// descriptor for each namespace that the sandbox has of its own. If then no execve
// succeeds it writes one byte more.
type Pty struct {
	Sock       int   // a Unix socket that keeps messages apart
	Ours       []int // the other side of Sock, and up to one more descriptor that ends with this process
	Rows, Cols uint16
	Modes      []byte // struct termios, for TCSETS; nil: what the kernel gives
	Namespaces bool
}

// pty is what the compiler knows of it.
type pty struct {
	host   program.Slot // controlling side, of the host; -1: not opened
	master program.Slot
	slave  program.Slot
	ns     []program.Slot
}

// hasDev reports whether the sandbox has a /dev of its own making.
func hasDev(l *layout.Layout) bool {
	for _, s := range l.Steps {
		if s.Op.Kind == plan.Dev && s.Target.Path == "/dev" {
			return true
		}
	}
	return false
}

// early opens what cannot be reached later. It comes when the namespaces are new
// and everything else is still the host's.
func (c *compiler) early(dev bool) {
	o := c.opts.Pty
	if o == nil {
		return
	}
	c.pty.host = -1
	if !dev {
		c.key("", "pseudo-terminal", "/dev/ptmx")
		c.pty.host = c.slot()
		c.add(program.Openat, program.Imm(atFDCWD), c.str("/dev/ptmx"), program.Imm(oRdwr|oNoctty|oCloexec)).Out = int16(c.pty.host)
	}
	if !o.Namespaces {
		return
	}
	c.key("", "namespaces", "")
	open := func(name string) {
		fd := c.slot()
		c.add(program.Openat, program.Imm(atFDCWD), c.str("/proc/self/ns/"+name), program.Imm(oCloexec)).Out = int16(fd)
		c.pty.ns = append(c.pty.ns, fd)
	}
	flags := c.prog.Unshare
	if c.plan.Unshare.Time {
		open("time_for_children")
	}
	for _, ns := range namespaceNames {
		if flags&ns.flag != 0 {
			open(ns.name)
		}
	}
}

// namespaceNames are files of /proc/PID/ns, proc_pid_ns(5).
var namespaceNames = [...]struct {
	name string
	flag uint64
}{{"user", newUser}, {"net", newNet}, {"ipc", newIPC}, {"uts", newUTS}, {"cgroup", newCgroup}, {"pid", newPID}, {"mnt", newNS}}

// openPty makes the pair. It comes when the tree is complete.
func (c *compiler) openPty(console bool) {
	o := c.opts.Pty
	if o == nil {
		return
	}
	t := &c.pty
	t.master = t.host
	if t.host < 0 {
		c.key("", "pseudo-terminal", "/dev/pts/ptmx")
		t.master = c.slot()
		how := c.prog.Words(oRdwr|oNoctty|oNonblock|oCloexec, 0, resolveInRoot|resolveNoMagiclinks|resolveNoSymlinks)
		c.add(program.Openat2, c.root.Arg(), c.str("dev/pts/ptmx"), how, program.Imm(24)).Out = int16(t.master)
	}
	c.add(program.Ioctl, t.master.Arg(), program.Imm(tiocSPTLCK), c.prog.Words(0))
	t.slave = c.slot()
	c.add(program.Ioctl, t.master.Arg(), program.Imm(tiocGPTPEER), program.Imm(oRdwr|oNoctty|oCloexec)).Out = int16(t.slave)
	if o.Modes != nil {
		c.prog.Words() // aligns
		c.add(program.Ioctl, t.slave.Arg(), program.Imm(tcSETS), c.prog.Bytes(string(o.Modes)))
	}
	size := c.prog.Words32(uint32(o.Rows)|uint32(o.Cols)<<16, 0)
	c.add(program.Ioctl, t.slave.Arg(), program.Imm(tiocSWINSZ), size)
	if console && t.host < 0 {
		c.console()
	}
}

// console makes the terminal /dev/console, too. As the first of a new devpts it is
// number 0 there, unless something is mounted over that. A script may have made
// /dev read-only; then there is none.
func (c *compiler) console() {
	open := func(path string) program.Slot {
		fd := c.slot()
		c.add(program.Openat2, c.root.Arg(), c.str(path), c.how, program.Imm(24)).Out = int16(fd)
		return fd
	}
	dev, pts, fd := open("dev"), open("dev/pts"), c.slot()
	c.add(program.Mknodat, dev.Arg(), c.str("console"), program.Imm(modeReg|0o666), program.Imm(0)).Flags = program.FlagAnyErr
	in := c.add(program.OpenTree, pts.Arg(), c.str("0"), program.Imm(openTreeClone|oCloexec|atSymlinkNofollow))
	in.Out, in.Errs, in.Skip = int16(fd), [2]uint8{eNOENT}, 2
	c.add(program.MoveMount, fd.Arg(), c.empty, dev.Arg(), c.str("console"), program.Imm(moveEmptyPath)).Flags = program.FlagAnyErr
	c.close(fd)
	c.close(dev)
	c.close(pts)
}

// takePty makes the terminal the command's, once that leads a session.
func (c *compiler) takePty() {
	if c.opts.Pty == nil {
		return
	}
	c.key("", "pseudo-terminal", "")
	c.add(program.Ioctl, c.pty.slave.Arg(), program.Imm(tiocSCTTY), program.Imm(0))
}

// sendPty sends what was promised, and waits for the answer. It is the last
// thing before the execve.
func (c *compiler) sendPty() {
	c.key("", "pseudo-terminal", "")
	for fd := range 3 {
		c.add(program.Dup3, c.pty.slave.Arg(), program.Imm(fd), program.Imm(0))
	}
	list := append([]program.Slot{c.pty.master, c.pty.slave}, c.pty.ns...)
	msg, at := c.prog.Message(len(list))
	for i, s := range list {
		c.add(program.Store, s.Arg(), program.Imm(at+4*i))
	}
	c.add(program.Sendmsg, program.Imm(c.opts.Pty.Sock), msg, program.Imm(msgNosignal))
	// Without an answer the command does not start.
	c.add(program.ReadCall, program.Imm(c.opts.Pty.Sock), c.prog.Words(0), program.Imm(1)).Flags = program.FlagAll
}

// failPty says that the command does not start.
func (c *compiler) failPty() {
	if o := c.opts.Pty; o != nil {
		c.add(program.WriteCall, program.Imm(o.Sock), c.prog.Bytes("-"), program.Imm(1)).Flags = program.FlagAnyErr
	}
}
