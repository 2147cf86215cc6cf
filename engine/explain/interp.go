package explain

// The interpreter that a file asks for: the ELF program header PT_INTERP,
// elf(5), or the "#!" line, execve(2).

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// interpreter returns the path of the interpreter in head, the first bytes of
// a file, or "".
func interpreter(head []byte) string {
	if line, ok := bytes.CutPrefix(head, []byte("#!")); ok {
		line, _, _ = bytes.Cut(line, []byte("\n"))
		name, _, _ := strings.Cut(strings.TrimLeft(string(line), " \t"), " ")
		name, _, _ = strings.Cut(name, "\t")
		name, _, _ = strings.Cut(name, "\x00")
		return name
	}
	if !bytes.HasPrefix(head, []byte("\x7fELF")) || len(head) < 64 {
		return ""
	}
	var order binary.ByteOrder = binary.LittleEndian
	if head[5] == 2 {
		order = binary.BigEndian
	}
	wide := head[4] == 2
	var off, size, num uint64
	if wide {
		off, size, num = order.Uint64(head[32:]), uint64(order.Uint16(head[54:])), uint64(order.Uint16(head[56:]))
	} else {
		off, size, num = uint64(order.Uint32(head[28:])), uint64(order.Uint16(head[42:])), uint64(order.Uint16(head[44:]))
	}
	limit := uint64(len(head))
	for i := range num {
		p := off + i*size
		if off > limit || size < 32 || p+size > limit {
			return ""
		}
		h := head[p:]
		if order.Uint32(h) != 3 { // PT_INTERP
			continue
		}
		var at, n uint64
		if wide {
			if size < 40 {
				return ""
			}
			at, n = order.Uint64(h[8:]), order.Uint64(h[32:])
		} else {
			at, n = uint64(order.Uint32(h[4:])), uint64(order.Uint32(h[16:]))
		}
		if at > limit || n > limit || at+n > limit {
			return ""
		}
		return strings.TrimRight(string(head[at:at+n]), "\x00")
	}
	return ""
}
