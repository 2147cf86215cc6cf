// Package seccomp builds the system call filters of a sandbox as classic BPF,
// without libseccomp: seccomp(2), SECCOMP_SET_MODE_FILTER.
//
// The filters are conveniences, not walls: whatever is not listed is allowed, an
// unknown architecture too. They look at system calls only, so these still work:
//
//   - io_uring does its work without a system call each: IORING_OP_FSYNC,
//     IORING_OP_SYNC_FILE_RANGE and writes with RWF_SYNC or RWF_DSYNC are not
//     suppressed. (io_uring has no chown and no ioctl on terminals.)
//   - native AIO: IOCB_CMD_FSYNC and IOCB_CMD_FDSYNC, io_submit(2).
//   - synchronous writes: files opened with O_SYNC or O_DSYNC, pwritev2(2) with
//     RWF_SYNC or RWF_DSYNC, mounts with the option sync.
//   - flushes that come with another call: umount(2), ioctl BLKFLSBUF.
package seccomp

import (
	"encoding/binary"
	"errors"
	"strconv"
)

// Filter says what a sandbox's calls are filtered for.
type Filter struct {
	// SuppressChown makes the chown family succeed without being done, for
	// package managers that set owners which have no id in the user namespace.
	SuppressChown bool

	// SuppressSync makes the sync family succeed without being done. msync(2)
	// is suppressed with MS_SYNC only: without it Linux does no I/O since 2.6.19,
	// and unwinders use the call to learn whether an address is mapped.
	SuppressSync bool

	// DenyTTYInjection makes ioctl(2) TIOCSTI and TIOCLINUX fail with EPERM: both
	// can type into the caller's terminal (CVE-2017-5226, CVE-2023-28100).
	DenyTTYInjection bool
}

// MaxLen is the most instructions the kernel takes in one filter, BPF_MAXINSNS.
const MaxLen = 4096

// Program returns the filter as an array of struct sock_filter, 8 bytes each, in
// the byte order of arch, "amd64" or "arm64". Both the native calls and the 32-bit
// ones that the kernel offers beside them are covered. The empty filter is nil.
func (f Filter) Program(arch string) ([]byte, error) {
	if f == (Filter{}) {
		return nil, nil
	}
	var abis *[2]abi
	switch arch {
	case "amd64":
		abis = &amd64
	case "arm64":
		abis = &arm64
	default:
		return nil, errors.New("seccomp: unknown architecture " + strconv.Quote(arch))
	}
	p := prog{buf: make([]byte, 0, 160*insnSize)}
	p.add(ldAbs, 0, 0, offArch)
	for i := range abis {
		// A task may use another ABI at each call (int $0x80 in a 64-bit process),
		// so the architecture decides which table the number belongs to.
		at := p.add(jeq, 0, 0, abis[i].audit)
		p.abi(f, &abis[i])
		p.patch(at, jfByte)
	}
	p.add(ret, 0, 0, retAllow)
	return p.buf, nil
}

// Instruction codes, linux/bpf_common.h. The kernel's cache of constant actions
// (5.11) understands these, loads of arguments excepted, so each number that is
// allowed without a look at its arguments never runs the filter at all.
const (
	ldAbs = 0x20 // BPF_LD|BPF_W|BPF_ABS
	and   = 0x54 // BPF_ALU|BPF_AND|BPF_K
	jeq   = 0x15 // BPF_JMP|BPF_JEQ|BPF_K
	jge   = 0x35 // BPF_JMP|BPF_JGE|BPF_K
	jset  = 0x45 // BPF_JMP|BPF_JSET|BPF_K
	ret   = 0x06 // BPF_RET|BPF_K
)

// Offsets in struct seccomp_data, linux/seccomp.h. Arguments are 64 bits wide, low
// half first on both architectures. The kernel cuts the ones looked at here to 32
// bits, so a filter that compared all 64 could be passed with a high bit set
// (CVE-2019-10063).
const (
	offNr    = 0
	offArch  = 4
	offArg1  = 16 + 8*1
	offArg2  = 16 + 8*2
	insnSize = 8
)

// Results, linux/seccomp.h.
const (
	retAllow = 0x7fff0000 // SECCOMP_RET_ALLOW
	retErrno = 0x00050000 // SECCOMP_RET_ERRNO; with errno 0 the call returns 0
	eperm    = 1
)

// Arguments the filters look at; the same on every architecture of the tables.
const (
	tiocsti   = 0x5412
	tioclinux = 0x541c
	msSync    = 4
)

// A prog is a filter being assembled.
type prog struct{ buf []byte }

// Where the jump distances are in an instruction.
const (
	jtByte = 2
	jfByte = 3
)

// add appends an instruction and returns its position.
func (p *prog) add(code uint16, jt, jf uint8, k uint32) int {
	at := len(p.buf)
	p.buf = binary.LittleEndian.AppendUint16(p.buf, code)
	p.buf = append(p.buf, jt, jf)
	p.buf = binary.LittleEndian.AppendUint32(p.buf, k)
	return at
}

// patch makes the jump at position at go to the end of the program. A distance is
// one byte; the tables are small enough, and the tests build every program there is.
func (p *prog) patch(at, field int) {
	p.buf[at+field] = byte((len(p.buf)-at)/insnSize - 1)
}

// A span is a run of numbers from lo up to the next span's lo.
type span struct {
	lo uint32
	do action
}

// abi appends the part that decides the calls of one ABI.
func (p *prog) abi(f Filter, a *abi) {
	var room [2*maxCalls + 1]span
	spans := append(room[:0], span{0, allow})
	for _, c := range a.calls {
		do := f.action(c.set)
		if do == allow {
			continue
		}
		nr := uint32(c.nr)
		if n := len(spans); spans[n-1].lo == nr { // right behind the last call
			spans = spans[:n-1]
		}
		if n := len(spans); n == 0 || spans[n-1].do != do {
			spans = append(spans, span{nr, do})
		}
		spans = append(spans, span{nr + 1, allow})
	}
	p.add(ldAbs, 0, 0, offNr)
	if a.clear != 0 {
		p.add(and, 0, 0, ^a.clear)
	}
	p.search(spans)
}

// search appends a binary search for the span that the number is in.
func (p *prog) search(spans []span) {
	if len(spans) == 1 {
		p.action(spans[0].do)
		return
	}
	mid := len(spans) / 2
	at := p.add(jge, 0, 0, spans[mid].lo)
	p.search(spans[:mid])
	p.patch(at, jtByte)
	p.search(spans[mid:])
}

// An action is what happens to a call.
type action uint8

const (
	allow action = iota
	suppress
	suppressSync // msync: suppress if it would wait
	denyTTY      // ioctl: deny those that type into a terminal
)

// action returns what f does to the calls of a set.
func (f Filter) action(s set) action {
	switch {
	case s == chown && f.SuppressChown, s == fsync && f.SuppressSync:
		return suppress
	case s == msync && f.SuppressSync:
		return suppressSync
	case s == ioctl && f.DenyTTYInjection:
		return denyTTY
	}
	return allow
}

func (p *prog) action(a action) {
	switch a {
	case allow:
		p.add(ret, 0, 0, retAllow)
	case suppress:
		p.add(ret, 0, 0, retErrno)
	case suppressSync:
		p.add(ldAbs, 0, 0, offArg2)
		p.add(jset, 0, 1, msSync)
		p.add(ret, 0, 0, retErrno)
		p.add(ret, 0, 0, retAllow)
	case denyTTY:
		p.add(ldAbs, 0, 0, offArg1)
		p.add(jeq, 1, 0, tiocsti)
		p.add(jeq, 0, 1, tioclinux)
		p.add(ret, 0, 0, retErrno|eperm)
		p.add(ret, 0, 0, retAllow)
	}
}
