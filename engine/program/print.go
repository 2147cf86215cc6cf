package program

// How a program prints: one line an instruction, in the manner of strace(1).

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
	"strings"

	"sbx/engine/plan"
)

var callNames = [numCalls]string{
	Openat: "openat", Openat2: "openat2", Close: "close", CloseRange: "close_range", WriteCall: "write",
	Sendfile: "sendfile", Mkdirat: "mkdirat", Mknodat: "mknodat", Symlinkat: "symlinkat", Unlinkat: "unlinkat",
	Fchmodat: "fchmodat", Fchownat: "fchownat", OpenTree: "open_tree", MoveMount: "move_mount", MountSetattr: "mount_setattr", Fsopen: "fsopen",
	Fsconfig: "fsconfig", Fsmount: "fsmount", Mount: "mount", Umount2: "umount2", PivotRoot: "pivot_root", Chdir: "chdir",
	Fchdir: "fchdir", Chroot: "chroot", Umask: "umask", Sethostname: "sethostname", Setsid: "setsid", Prctl: "prctl",
	Capset: "capset", Prlimit64: "prlimit64", Seccomp: "seccomp", Socket: "socket", Ioctl: "ioctl", Fcntl: "fcntl",
	Dup3: "dup3", Unshare: "unshare", Getpid: "getpid", Kill: "kill", Setns: "setns",
	Sendmsg: "sendmsg", ReadCall: "read", Faccessat2: "faccessat2", Statx: "statx", Setuid: "setuid", Setgid: "setgid", LandlockNew: "landlock_create_ruleset", LandlockSelf: "landlock_restrict_self", Execve: "execve",
	ForkCommand: "fork_command", ForkOn: "fork_on", Gate: "gate", Signals: "signals", Poke: "poke", Decimal: "decimal", Store: "store", Same: "same", ExecFailed: "exec_failed",
}

// String returns the name of the system call.
func (c Call) String() string {
	if c < numCalls {
		return callNames[c]
	}
	return "call " + strconv.Itoa(int(c))
}

// How an argument prints.
const (
	asNumber = 'd' // decimal, signed
	asHex    = 'x'
	asOctal  = 'o'
	asString = 's' // NUL-terminated, in the arena
	asData   = 'b' // bytes in the arena; the next argument is their number
	asStruct = 'p' // something else in the arena
	asDir    = 'a' // a directory descriptor
)

// formats tells for each call how its arguments print, one letter each.
var formats = [numCalls]string{
	Openat: "asxo", Openat2: "aspd", Close: "d", CloseRange: "ddx", WriteCall: "dbd", Sendfile: "dddd",
	Mkdirat: "aso", Mknodat: "asod", Symlinkat: "sas", Unlinkat: "asx", Fchmodat: "aso", Fchownat: "asddx", OpenTree: "asx", MoveMount: "asasx",
	MountSetattr: "asxpd", Fsopen: "sx", Fsconfig: "ddssd", Fsmount: "dxx", Mount: "sssxs", Umount2: "sx", PivotRoot: "ss",
	Chdir: "s", Fchdir: "d", Chroot: "s", Umask: "o", Sethostname: "bd", Setsid: "", Prctl: "ddd", Capset: "pp",
	Prlimit64: "ddpd", Seccomp: "ddp", Socket: "ddd", Ioctl: "dxp", Fcntl: "ddd", Dup3: "ddx", Unshare: "x",
	Getpid: "", Kill: "dd", Setns: "dx", Sendmsg: "dpx", ReadCall: "dpd", Faccessat2: "asox", Statx: "asxxp", Setuid: "d", Setgid: "d", LandlockNew: "pxx", LandlockSelf: "dx", Execve: "spp",
	ForkCommand: "", ForkOn: "", Gate: "", Signals: "d", Poke: "ds", Decimal: "d", Store: "d", Same: "dd", ExecFailed: "d",
}

// Print writes the program, an instruction a line, each group under a line that
// says what it is for and where that was asked. Slots print as $N.
func (p *Program) Print(w io.Writer) error {
	var b strings.Builder
	last := int32(-1)
	for i := range p.Insts {
		in := &p.Insts[i]
		if in.Ref != last {
			if last < 0 || !p.within(last, in.Ref) {
				b.WriteString("# " + plan.Printable(p.describe(in.Ref)) + "\n") // one line, whatever a position has in it
			}
			last = in.Ref
		}
		fmt.Fprintf(&b, "%4d  ", i)
		p.format(&b, in)
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// within reports whether two references are for the same but for a path on the host.
func (p *Program) within(a, b int32) bool {
	x, y := p.Refs[a], p.Refs[b]
	if x.Host == "" && y.Host == "" {
		return false
	}
	x.Host, y.Host = "", ""
	return x == y
}

// describe says what the instructions with a reference are for.
func (p *Program) describe(ref int32) string {
	r := p.Refs[ref]
	if r.Op >= 0 && p.Plan != nil {
		op := &p.Plan.Ops[r.Op]
		s := op.String()
		if at := op.At.Pos.String(); at != "" {
			s += "  (" + at + ")"
		}
		return s
	}
	s := r.What
	if r.Path != "" {
		s += " " + plan.Quote(r.Path)
	}
	if p.Plan != nil && r.Key != "" {
		if at := p.Plan.Where[r.Key].Pos.String(); at != "" {
			s += "  (" + at + ")"
		}
	}
	return s
}

func (p *Program) format(b *strings.Builder, in *Inst) {
	b.WriteString(in.Call.String() + "(")
	f := formats[in.Call]
	for i := range f {
		if i > 0 {
			b.WriteString(", ")
		}
		p.arg(b, in, i, f[i])
	}
	b.WriteByte(')')
	switch {
	case in.Flags&FlagExec != 0:
		b.WriteString("  [next on failure]")
	case in.Out != None:
		fmt.Fprintf(b, " = $%d", in.Out)
	}
	if in.Flags&FlagLoop != 0 {
		b.WriteString("  [until 0]")
	}
	var errs []string
	if in.Flags&FlagAnyErr != 0 {
		errs = append(errs, "any error")
	}
	for _, e := range in.Errs {
		if e != 0 {
			errs = append(errs, errnoName(e))
		}
	}
	if len(errs) > 0 {
		b.WriteString("  [" + strings.Join(errs, " or ") + " is fine")
		if in.Skip > 0 && in.Flags&FlagSkipOK == 0 {
			fmt.Fprintf(b, ", skip %d", in.Skip)
		}
		b.WriteByte(']')
	}
	if in.Flags&FlagSkipOK != 0 {
		fmt.Fprintf(b, "  [skip %d]", in.Skip)
	}
}

func (p *Program) arg(b *strings.Builder, in *Inst, i int, f byte) {
	v := in.Args[i]
	switch {
	case in.Slots&(1<<i) != 0:
		fmt.Fprintf(b, "$%d", v)
	case in.Ptrs&(1<<i) != 0:
		switch f {
		case asString:
			b.WriteString(strconv.Quote(p.cstring(v)))
		case asData:
			n := min(in.Args[i+1], 64)
			b.WriteString(strconv.Quote(string(p.Arena[v : v+n])))
			if n < in.Args[i+1] {
				b.WriteString("…")
			}
		default:
			p.structure(b, in, i, v)
		}
	case f == asDir && int64(v) == -100:
		b.WriteString("AT_FDCWD")
	case f == asHex:
		fmt.Fprintf(b, "%#x", v)
	case f == asOctal:
		fmt.Fprintf(b, "%#o", v)
	case f == asString || f == asStruct || f == asData:
		b.WriteString("NULL")
	default:
		b.WriteString(strconv.FormatInt(int64(v), 10))
	}
}

// structure prints the structures worth reading.
func (p *Program) structure(b *strings.Builder, in *Inst, i int, off uint64) {
	word := func(n uint64) uint64 { return binary.NativeEndian.Uint64(p.Arena[off+8*n:]) }
	switch {
	case in.Call == MountSetattr:
		fmt.Fprintf(b, "{set=%#x, propagation=%#x}", word(0), word(2))
	case in.Call == Openat2:
		fmt.Fprintf(b, "{flags=%#x, resolve=%#x}", word(0), word(2))
	case in.Call == Prlimit64:
		fmt.Fprintf(b, "{soft=%d, hard=%d}", word(0), word(1))
	case in.Call == Capset && i == 1:
		fmt.Fprintf(b, "{effective=%#x}", uint64(binary.NativeEndian.Uint32(p.Arena[off:]))|uint64(binary.NativeEndian.Uint32(p.Arena[off+12:]))<<32)
	case in.Call == Execve && i == 1:
		p.list(b, off)
	case in.Call == Execve && i == 2:
		n := 0
		for word(uint64(n)) != 0 {
			n++
		}
		fmt.Fprintf(b, "[%d variables]", n)
	case in.Call == Seccomp:
		fmt.Fprintf(b, "{%d instructions}", word(0)&0xffff)
	default:
		b.WriteString("{…}")
	}
}

func (p *Program) list(b *strings.Builder, off uint64) {
	b.WriteByte('[')
	for n := uint64(0); ; n++ {
		v := binary.NativeEndian.Uint64(p.Arena[off+8*n:])
		if v == 0 {
			break
		}
		if n > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.Quote(p.cstring(v)))
	}
	b.WriteByte(']')
}

func (p *Program) cstring(off uint64) string {
	b := p.Arena[off:]
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

func errnoName(e uint8) string {
	switch e {
	case 1:
		return "EPERM"
	case 2:
		return "ENOENT"
	case 17:
		return "EEXIST"
	case 18:
		return "EXDEV"
	case 22:
		return "EINVAL"
	}
	return "errno " + strconv.Itoa(int(e))
}
