package seccomp

// This file is a classic BPF machine, as far as seccomp filters may use one, and
// the kernel's rule for which numbers it need not run a filter for.

import (
	"encoding/binary"
	"fmt"
)

// data is struct seccomp_data.
type data struct {
	nr, arch uint32
	args     [6]uint64
}

func (d *data) bytes() []byte {
	b := binary.LittleEndian.AppendUint32(nil, d.nr)
	b = binary.LittleEndian.AppendUint32(b, d.arch)
	b = binary.LittleEndian.AppendUint64(b, 0xdeadbeefdeadbeef) // instruction pointer
	for _, a := range d.args {
		b = binary.LittleEndian.AppendUint64(b, a)
	}
	return b
}

// run returns the result of a filter for d and the number of instructions done.
// With cache set it takes the view of the kernel's cache of constant actions, which
// knows the number and the architecture only: it fails at any other load.
func run(program []byte, d *data, cache bool) (result uint32, steps int, err error) {
	in := d.bytes()
	n := len(program) / 8
	if n == 0 || n > MaxLen || len(program)%8 != 0 {
		return 0, 0, fmt.Errorf("%d bytes are no program", len(program))
	}
	var a uint32
	for pc := 0; pc < n; pc++ {
		steps++
		insn := program[8*pc:]
		code := binary.LittleEndian.Uint16(insn)
		k := binary.LittleEndian.Uint32(insn[4:])
		jump := func(yes bool) {
			if yes {
				pc += int(insn[2])
			} else {
				pc += int(insn[3])
			}
		}
		switch code {
		case 0x20: // ld [k]
			if k%4 != 0 || int(k)+4 > len(in) {
				return 0, steps, fmt.Errorf("insn %d: load at %d", pc, k)
			}
			if cache && k > 4 {
				return 0, steps, fmt.Errorf("insn %d: looks at an argument", pc)
			}
			a = binary.LittleEndian.Uint32(in[k:])
		case 0x54: // and #k
			a &= k
		case 0x15: // jeq
			jump(a == k)
		case 0x35: // jge
			jump(a >= k)
		case 0x45: // jset
			jump(a&k != 0)
		case 0x06: // ret #k
			return k, steps, nil
		default:
			return 0, steps, fmt.Errorf("insn %d: code %#x", pc, code)
		}
	}
	return 0, steps, fmt.Errorf("ran off the end")
}

// verify checks what the kernel checks at load time and cannot be seen by running:
// every jump stays inside, and the last instruction returns.
func verify(program []byte) error {
	n := len(program) / 8
	for pc := range n {
		insn := program[8*pc:]
		switch binary.LittleEndian.Uint16(insn) {
		case 0x15, 0x35, 0x45:
			for _, off := range insn[2:4] {
				if pc+1+int(off) >= n {
					return fmt.Errorf("insn %d: jumps to %d of %d", pc, pc+1+int(off), n)
				}
			}
		default:
			if insn[2] != 0 || insn[3] != 0 {
				return fmt.Errorf("insn %d: distances in no jump", pc)
			}
		}
	}
	if binary.LittleEndian.Uint16(program[8*(n-1):]) != 0x06 {
		return fmt.Errorf("the last insn does not return")
	}
	return nil
}
