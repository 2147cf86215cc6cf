//go:build linux

package argvtest

// The descriptors that programs inherit.

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sbx/engine/enginetest/box"
)

// descriptors are those that a program inherits.
type descriptors struct {
	t       testing.TB
	w       who
	top     string
	list    map[int]*os.File
	late    []func() // when the program has started
	output  map[int]*bytes.Buffer
	wait    sync.WaitGroup
	readers []*os.File
}

func newDescriptors(t testing.TB, w who, top string) *descriptors {
	return &descriptors{t: t, w: w, top: top, list: map[int]*os.File{}, output: map[int]*bytes.Buffer{}}
}

func (d *descriptors) add(fd int, f *os.File) { d.list[fd] = f }

// open opens descriptor fd: one of "null", "out" (a pipe that the test reads),
// "data:TEXT", "args:WORD WORD", "seccomp:" (a pipe with that in it), "file:PATH",
// "rw:PATH", "dir:PATH", "path:PATH" (with O_PATH), "userns:", "pidns:".
func (d *descriptors) open(fd int, what string) {
	d.t.Helper()
	kind, arg, _ := strings.Cut(what, ":")
	arg = strings.ReplaceAll(arg, "@T", d.top)
	file := func(flags int) {
		n, err := unix.Open(arg, flags|unix.O_CLOEXEC, 0)
		if err != nil {
			d.t.Fatalf("%s: %v", what, err)
		}
		d.add(fd, os.NewFile(uintptr(n), arg))
	}
	data := func(text string) {
		r, w, err := os.Pipe()
		box.Must(d.t, err)
		if len(text) > 1<<15 {
			d.t.Fatal("longer than a pipe")
		}
		_, err = w.WriteString(text)
		box.Must(d.t, err)
		box.Must(d.t, w.Close())
		d.add(fd, r)
	}
	switch kind {
	case "null":
		arg = "/dev/null"
		file(unix.O_RDWR)
	case "out":
		r, w, err := os.Pipe()
		box.Must(d.t, err)
		d.add(fd, w)
		buf := &bytes.Buffer{}
		d.output[fd] = buf
		d.readers = append(d.readers, r)
		d.late = append(d.late, func() {
			d.wait.Go(func() { buf.ReadFrom(r) })
		})
	case "data":
		data(arg)
	case "args":
		data(strings.ReplaceAll(arg, " ", "\x00"))
	case "seccomp":
		data(filter())
	case "file":
		file(unix.O_RDONLY)
	case "rw":
		file(unix.O_RDWR)
	case "dir":
		file(unix.O_RDONLY | unix.O_DIRECTORY)
	case "path":
		file(unix.O_PATH)
	case "userns", "pidns":
		arg = fmt.Sprintf("/proc/%d/ns/%s", holder(d.t, d.w), map[string]string{"userns": "user", "pidns": "pid"}[kind])
		file(unix.O_RDONLY)
	default:
		d.t.Fatalf("descriptor %q", what)
	}
}

// filter is a seccomp program: keyctl fails with ENOTBLK, all else is allowed.
func filter() string {
	var b []byte
	for _, i := range []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_KEYCTL, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0x00050000 | uint32(unix.ENOTBLK)},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0x7fff0000},
	} {
		b = binary.NativeEndian.AppendUint16(b, i.Code)
		b = append(b, i.Jt, i.Jf)
		b = binary.NativeEndian.AppendUint32(b, i.K)
	}
	return string(b)
}

// files are the descriptors as exec.Cmd takes them.
func (d *descriptors) files() []*os.File {
	var list []*os.File
	for _, fd := range slices.Sorted(maps.Keys(d.list)) {
		for len(list) < fd-3 {
			list = append(list, nil)
		}
		list = append(list, d.list[fd])
	}
	return list
}

func (d *descriptors) started() {
	for fd, f := range d.list {
		f.Close()
		delete(d.list, fd)
	}
	for _, f := range d.late {
		f()
	}
}

// collect returns what was written, when all writers are gone.
func (d *descriptors) collect() map[int]string {
	d.wait.Wait()
	out := map[int]string{}
	for fd, b := range d.output {
		out[fd] = b.String()
	}
	return out
}

func (d *descriptors) close() {
	for _, f := range d.list {
		f.Close()
	}
	for _, f := range d.readers {
		f.Close()
	}
}

var holders struct {
	sync.Mutex
	pids map[string]int
	keep []io.Closer // their standard inputs
}

// holder returns the id of a process in a user and a pid namespace of w's, which
// is there until the test process ends.
func holder(t testing.TB, w who) int {
	t.Helper()
	holders.Lock()
	defer holders.Unlock()
	if pid := holders.pids[w.name]; pid != 0 {
		return pid
	}
	cmd := exec.Command(observer, "hold")
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(w.uid), Gid: uint32(w.gid)}}
	}
	stdin, err := cmd.StdinPipe()
	box.Must(t, err)
	holders.keep = append(holders.keep, stdin)
	out, err := cmd.StdoutPipe()
	box.Must(t, err)
	box.Must(t, cmd.Start())
	var pid int
	if _, err := fmt.Fscan(out, &pid); err != nil {
		t.Fatal(err)
	}
	if holders.pids == nil {
		holders.pids = map[string]int{}
	}
	holders.pids[w.name] = pid
	return pid
}
