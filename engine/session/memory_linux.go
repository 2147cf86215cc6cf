package session

// What sandboxes use.

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Usage is what the processes of a sandbox use.
type Usage struct {
	Processes int
	Memory    uint64 // in bytes
	// Kind is "pss" where shared pages count in parts, so that sums are right, or
	// "rss" where a process does not let that be seen and all its pages count.
	Kind string
}

// Measure returns what sandboxes use, of each of the list.
func Measure(list []Info) []Usage {
	children := map[int][]int{}
	names, _ := filepath.Glob("/proc/[0-9]*")
	for _, name := range names {
		if pid, err := strconv.Atoi(filepath.Base(name)); err == nil {
			if _, parent, start := status(pid); start != 0 {
				children[parent] = append(children[parent], pid)
			}
		}
	}
	out := make([]Usage, len(list))
	for i := range list {
		if !list[i].Alive() {
			continue
		}
		// The server's child is its guard, or the sandbox's init, unless it is the
		// command itself.
		for _, pid := range children[list[i].Server] {
			if pid == list[i].Leader {
				out[i].add(pid)
			}
			out[i].below(children, pid)
		}
	}
	return out
}

func (u *Usage) below(children map[int][]int, pid int) {
	for _, c := range children[pid] {
		u.add(c)
		u.below(children, c)
	}
}

func (u *Usage) add(pid int) {
	n, kind := memory(pid)
	if kind == "" {
		return
	}
	u.Processes++
	u.Memory += n
	if u.Kind != "rss" {
		u.Kind = kind
	}
}

// memory returns what a process uses: its proportional set size, or else its
// resident set size.
func memory(pid int) (uint64, string) {
	dir := "/proc/" + strconv.Itoa(pid)
	if b, err := os.ReadFile(dir + "/smaps_rollup"); err == nil {
		for line := range bytes.Lines(b) {
			if f := strings.Fields(string(line)); len(f) >= 2 && f[0] == "Pss:" {
				kb, err := strconv.ParseUint(f[1], 10, 64)
				if err == nil {
					return kb << 10, "pss"
				}
			}
		}
	}
	b, err := os.ReadFile(dir + "/statm")
	f := strings.Fields(string(b))
	if err != nil || len(f) < 2 {
		return 0, ""
	}
	pages, _ := strconv.ParseUint(f[1], 10, 64)
	return pages * uint64(os.Getpagesize()), "rss"
}
