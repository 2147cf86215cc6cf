// Package program defines the Program: a flat list of symbolic system calls,
// with an arena for the strings and structures they point to and numbered slots
// for their results.
//
// A program is made by package compile and performed by package run in a child
// that may not allocate, block on a lock or grow its stack. So everything is
// fixed-size data: an instruction is one cache line, and what it needs beyond a
// system call is a handful of control words.
package program

import (
	"encoding/binary"

	"sbx/engine/plan"
)

// Call is a system call by name, or one of the few pseudo calls of the child's
// loop. Its number on an architecture is package run's business.
type Call uint8

// The system calls, and after them the pseudo calls.
const (
	Openat Call = iota
	Openat2
	Close
	CloseRange
	WriteCall
	Sendfile
	Mkdirat
	Mknodat
	Symlinkat
	Unlinkat
	Fchmodat
	Fchownat
	OpenTree
	MoveMount
	MountSetattr
	Fsopen
	Fsconfig
	Fsmount
	Mount
	Umount2
	PivotRoot
	Chdir
	Fchdir
	Chroot
	Umask
	Sethostname
	Setsid
	Prctl
	Capset
	Prlimit64
	Seccomp
	Socket
	Ioctl
	Fcntl
	Dup3
	Unshare
	Getpid
	Kill
	Setns
	Sendmsg
	ReadCall
	Faccessat2
	Statx
	Setuid
	Setgid
	LandlockNew
	LandlockSelf
	Execve

	// ForkCommand forks the command off: the child goes on with the next
	// instruction, the parent stays as the init of the sandbox. No arguments.
	ForkCommand
	// ForkOn forks, and the child goes on as the sandbox: the process that forks only
	// waits, and tells how the child ended. No arguments.
	ForkOn
	// Gate lets sbx know the process that is the sandbox, and waits till sbx lets it
	// go on. No arguments.
	Gate
	// Signals lets the caller's signals in, with their usual effects, or keeps them all
	// out again where Args[0] is 0. For a child with a memory of its own, Program.Copy.
	Signals
	// Poke stores Args[1] at the offset Args[0] of the arena, a word.
	Poke
	// Decimal writes the value of Args[0] in decimal at the offset Args[1] of
	// the arena, with a final NUL.
	Decimal
	// Store writes the value of Args[0], a file descriptor, as 32 bits at the
	// offset Args[1] of the arena.
	Store
	// Same fails, with ESTALE, unless the words at the offsets Args[0] and Args[1]
	// of the arena are the same.
	Same
	// ExecFailed ends the program: no execve succeeded. Args[0] is the number of
	// the first of the two slots that the FlagExec instructions filled in,
	// Args[1] the offset of the array of the Args[2] paths that they tried.
	ExecFailed

	numCalls
)

// Flag changes what the result of an instruction does.
type Flag uint8

// The flags of an instruction.
const (
	// FlagAnyErr makes every errno an expected one.
	FlagAnyErr Flag = 1 << iota
	// FlagSkipOK skips on success and not on an expected errno.
	FlagSkipOK
	// FlagLoop repeats the call until it returns 0.
	FlagLoop
	// FlagExec marks one try of an execve: the errno worth telling is kept in
	// the slot Out, and the number of the try, Args[5], in the slot after it. With
	// any errno but ENOEXEC it skips.
	FlagExec
	// FlagKeep keeps the result, a descriptor, open in an init that stays.
	FlagKeep
	// FlagAll wants the result to be Args[2], as of a write that must be whole.
	FlagAll
)

// None is the value of Out where the result is not kept.
const None int16 = -1

// Inst is one instruction. It is 64 bytes.
type Inst struct {
	Call  Call
	Flags Flag
	Slots uint8    // bit i: Args[i] is the number of a slot, and its value is meant
	Ptrs  uint8    // bit i: Args[i] is an offset in the arena, and its address is meant
	Out   int16    // slot for the result, or None
	Skip  int16    // how many instructions to skip on an expected errno
	Errs  [2]uint8 // expected errnos: the call counts as done
	_     [2]uint8
	Ref   int32 // index in Program.Refs
	Args  [6]uint64
}

// MaxLocks is the greatest number of uppers that are locked.
const MaxLocks = 8

// Lock is a directory that is to be locked, or removed, and what for.
type Lock struct {
	Path string
	Ref  int32
	Work bool // it is an overlay's work directory, not its upper
}

// Ref says what an instruction is for.
type Ref struct {
	Op   int32  // index in the plan's Ops, or -1
	Key  string // key in the plan's Where, where Op is -1
	What string // name for messages: "bind", "pivot_root"
	Path string // what the step is about, for messages; may be empty
	Host string // the path on the host that the call is about, where it is of another than Path and the operation's sources
}

// Program is the whole list.
type Program struct {
	Insts []Inst
	Arena []byte
	// Relocs are the offsets in Arena of 64-bit words that hold an offset in
	// Arena and must become addresses before the program runs.
	Relocs []int
	Slots  int // how many slots the instructions use
	Refs   []Ref

	Plan *plan.Plan // for the positions of Refs

	// Unshare holds the CLONE_NEW flags of the sandbox.
	Unshare uint64
	// Init: there is a ForkCommand, before which the program makes the sandbox
	// in what becomes its pid 1.
	Init bool
	// Guard: a process outside looks after the sandbox, and ends it with sbx.
	Guard bool
	// Become: no child is needed. The process makes the namespaces itself and
	// becomes the command. For a user namespace it has to be in its first thread:
	// main locks itself to that, runtime.LockOSThread in an init function.
	Become bool
	// Join: the sandbox is there already, and the program joins it. The process
	// before the ForkCommand stays outside, and ends with sbx what it started.
	Join bool
	// Pty: the command has a terminal of its own. It is no part of the caller's job,
	// so that sbx does not stop when the command does, and what the caller's
	// terminal sends to sbx (SIGWINCH, SIGHUP, …) is not for the command.
	Pty bool
	// DieWithParent has the kernel kill the child when sbx dies, where there is
	// no guard to do it.
	DieWithParent bool
	// Loose: what the command leaves running goes on when it ends, and signals are
	// not passed on, plan.LifetimeCommand.
	Loose bool
	// Copy: the child gets a copy of this process's memory, which goes on meanwhile.
	Copy bool
	// PIDNS: the command is in another pid namespace than this process.
	PIDNS bool
	// Locks are directories that no two sandboxes may use at once; flock(2) is
	// held on them for as long as the sandbox lives. There are at most MaxLocks
	// uppers, and a work directory for each.
	Locks []Lock
	// CloseFDs are closed in sbx itself once the command has started.
	CloseFDs []int
	// Ours are this process's ends of what the sandbox hears from it by, or somebody
	// else: closed in the sandbox before anything else, which would wait for itself.
	// There are at most 4, with the descriptors of the plan's hooks.
	Ours []int
	// Cleanup are directories that sbx made for the kernel's use (an overlay's
	// work directory), removed when the sandbox is gone.
	Cleanup []Lock
}

// Arg is an argument of an instruction under construction.
type Arg struct {
	v    uint64
	kind uint8
}

const (
	immediate uint8 = iota
	slotArg
	ptrArg
)

// Imm returns the plain number v.
func Imm[T ~int | ~int32 | ~int64 | ~uint32 | ~uint64](v T) Arg { return Arg{uint64(v), immediate} }

// Slot is a numbered place for a result.
type Slot int16

// Arg returns the slot's value as an argument.
func (s Slot) Arg() Arg { return Arg{uint64(s), slotArg} }

// ptr returns an offset in the arena as an argument.
func ptr(off int) Arg { return Arg{uint64(off), ptrArg} }

// Add appends a call and returns its instruction, valid until the next Add.
func (p *Program) Add(ref int32, call Call, args ...Arg) *Inst {
	in := Inst{Call: call, Out: None, Ref: ref}
	for i, a := range args {
		in.Args[i] = a.v
		switch a.kind {
		case slotArg:
			in.Slots |= 1 << i
		case ptrArg:
			in.Ptrs |= 1 << i
		}
	}
	p.Insts = append(p.Insts, in)
	return &p.Insts[len(p.Insts)-1]
}

// Str puts s and a NUL into the arena.
func (p *Program) Str(s string) Arg {
	off := len(p.Arena)
	p.Arena = append(p.Arena, s...)
	p.Arena = append(p.Arena, 0)
	return ptr(off)
}

// Bytes puts b into the arena.
func (p *Program) Bytes(b string) Arg {
	off := len(p.Arena)
	p.Arena = append(p.Arena, b...)
	return ptr(off)
}

// Words puts 64-bit words into the arena, aligned.
func (p *Program) Words(words ...uint64) Arg {
	p.align(8)
	off := len(p.Arena)
	for _, w := range words {
		p.Arena = binary.NativeEndian.AppendUint64(p.Arena, w)
	}
	return ptr(off)
}

// Pointers puts the addresses of the arena offsets args, each a pointer,
// and a final nil into the arena, as execve(2) takes them.
func (p *Program) Pointers(args []Arg) Arg {
	p.align(8)
	off := len(p.Arena)
	for _, a := range args {
		p.pointer(a)
	}
	p.Arena = binary.NativeEndian.AppendUint64(p.Arena, 0)
	return ptr(off)
}

// CountAndPointer puts a word with the count n and the address of a into the
// arena: struct sock_fprog, seccomp(2), on a little-endian machine.
func (p *Program) CountAndPointer(n int, a Arg) Arg {
	head := p.Words(uint64(n))
	p.pointer(a)
	return head
}

// Message puts a struct msghdr, sendmsg(2), into the arena: one byte, and room for
// n file descriptors as SCM_RIGHTS, unix(7). The descriptors are to be stored at
// the offset fds, 4 bytes each.
func (p *Program) Message(n int) (msg Arg, fds int) {
	p.align(8)
	data := p.Bytes("+")
	p.align(8)
	iov := len(p.Arena)
	p.pointer(data)
	p.Arena = binary.NativeEndian.AppendUint64(p.Arena, 1)
	control := p.Words(uint64(16 + 4*n))
	p.Words32(1, 1) // SOL_SOCKET, SCM_RIGHTS
	fds = len(p.Arena)
	p.Arena = append(p.Arena, make([]byte, (4*n+7)&^7)...)
	size := len(p.Arena) - control.Offset()
	msg = p.Words(0, 0) // no name
	p.pointer(ptr(iov))
	p.Words(1)
	p.pointer(control)
	p.Words(uint64(size), 0)
	return msg, fds
}

// pointer puts the address of a, a pointer, into the arena.
func (p *Program) pointer(a Arg) {
	p.Relocs = append(p.Relocs, len(p.Arena))
	p.Arena = binary.NativeEndian.AppendUint64(p.Arena, a.v)
}

// Offset returns the arena offset that a, a pointer, stands for.
func (a Arg) Offset() int { return int(a.v) }

// Words32 puts 32-bit words into the arena, aligned.
func (p *Program) Words32(words ...uint32) Arg {
	p.align(8)
	off := len(p.Arena)
	for _, w := range words {
		p.Arena = binary.NativeEndian.AppendUint32(p.Arena, w)
	}
	return ptr(off)
}

func (p *Program) align(n int) {
	for len(p.Arena)%n != 0 {
		p.Arena = append(p.Arena, 0)
	}
}
