//go:build linux

package varlink

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// service is a fake one: it takes one call, and replies in pieces.
type service struct {
	socket string
	got    map[string]any // the message
	fds    []int
	done   chan error
}

// serve starts a service that replies with the pieces, the files with the first.
func serve(t *testing.T, files []*os.File, pieces ...string) *service {
	t.Helper()
	s := &service{socket: filepath.Join(t.TempDir(), "s"), done: make(chan error, 1)}
	l, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(l) })
	if err := unix.Bind(l, &unix.SockaddrUnix{Name: s.socket}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(l, 1); err != nil {
		t.Fatal(err)
	}
	go func() { s.done <- s.reply(l, files, pieces) }()
	return s
}

func (s *service) reply(l int, files []*os.File, pieces []string) error {
	conn, _, err := unix.Accept4(l, unix.SOCK_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(conn)
	body, fds, err := receive(conn)
	if err != nil {
		return err
	}
	s.fds = fds
	if err := json.Unmarshal(body, &s.got); err != nil {
		return err
	}
	var list []int
	for _, f := range files {
		list = append(list, int(f.Fd()))
	}
	for _, p := range pieces {
		if err := send(conn, []byte(p), list); err != nil {
			return err
		}
		list = nil
	}
	return nil
}

// wait waits for the end of the service, and returns what it got.
func (s *service) wait(t *testing.T) (map[string]any, []int) {
	t.Helper()
	if err := <-s.done; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeAll(s.fds) })
	return s.got, s.fds
}

func file(t *testing.T, text string) *os.File {
	t.Helper()
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// content reads a descriptor from its beginning.
func content(t *testing.T, fd int) string {
	t.Helper()
	b, err := io.ReadAll(io.NewSectionReader(fdReader(fd), 0, 1000))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

type fdReader int

func (r fdReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := unix.Pread(int(r), p, off)
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

func openFDs(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestCall(t *testing.T) {
	in, a, b := file(t, "in"), file(t, "a"), file(t, "b")
	long := strings.Repeat("x", 200<<10)
	s := serve(t, []*os.File{a, b}, `{"parameters":{"n":7,`, `"s":"`+long+`"}}`, "\x00")
	var out struct {
		N int
		S string
	}
	fds, err := Call(s.socket, "org.example.Do", map[string]string{"q": long}, &out, int(in.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	got, sent := s.wait(t)
	if want := map[string]any{"method": "org.example.Do", "parameters": map[string]any{"q": long}}; !reflect.DeepEqual(got, want) {
		t.Errorf("the service got %.100v", got)
	}
	if len(sent) != 1 || content(t, sent[0]) != "in" {
		t.Errorf("the service got files %v", sent)
	}
	if out.N != 7 || out.S != long || len(fds) != 2 || content(t, fds[0]) != "a" || content(t, fds[1]) != "b" {
		t.Errorf("got %d, %d bytes, files %v", out.N, len(out.S), fds)
	}
	for _, fd := range fds {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("file descriptor %d survives an exec", fd)
		}
	}
	closeAll(fds)
}

func TestCallErrors(t *testing.T) {
	for _, tt := range []struct {
		reply string
		errno syscall.Errno
		want  string
	}{
		{"{\"error\":\"org.example.No\"}\x00", 0, "org.example.No"},
		{"{\"error\":\"io.systemd.System\",\"parameters\":{\"errno\":1}}\x00", unix.EPERM, "io.systemd.System: operation not permitted"},
		{"{\"error\":\"io.systemd.System\",\"parameters\":{\"errno\":99999,\"errnoName\":\"ENOANO\"}}\x00", unix.ENOANO, "io.systemd.System: no anode"},
		{"{\"parameters\":{}}", 0, "the service hung up"},
		{"", 0, "the service hung up"},
		{"{\x00", 0, "the reply is not JSON: unexpected end of JSON input"},
		{"{\"parameters\":{\"n\":\"x\"}}\x00", 0, "the reply makes no sense: json: cannot unmarshal string into Go struct field .n of type int"},
	} {
		s := serve(t, []*os.File{file(t, "a")}, tt.reply)
		before := openFDs(t)
		var out struct {
			N int `json:"n"`
		}
		_, err := Call(s.socket, "m", nil, &out)
		s.wait(t)
		if err == nil || err.Error() != tt.want || tt.errno != 0 && !errors.Is(err, tt.errno) {
			t.Errorf("%q: %v", tt.reply, err)
		}
		if after := openFDs(t); after > before {
			t.Errorf("%q: %d files are left open", tt.reply, after-before)
		}
	}
	_, err := Call("/nowhere", "m", nil, nil)
	if !errors.Is(err, unix.ENOENT) {
		t.Error(err)
	}
}

// dumb is a reply to calls that give nothing back.
const dumb = "{\"parameters\":{}}\x00"

func TestAllocateUserRange(t *testing.T) {
	for _, tt := range []struct {
		r    UserRange
		want string
	}{
		{UserRange{Self: true, Foreign: true}, `{"delegateContainerRanges":0,"mapForeign":true,"size":1,"type":"self","userNamespaceFileDescriptor":0}`},
		{UserRange{Self: true, Root: true, Delegate: 2}, `{"delegateContainerRanges":2,"mapForeign":false,"size":1,"target":0,"type":"self","userNamespaceFileDescriptor":0}`},
		{UserRange{}, `{"delegateContainerRanges":0,"mapForeign":false,"size":65536,"target":0,"type":"managed","userNamespaceFileDescriptor":0}`},
	} {
		s := serve(t, nil, dumb)
		if err := (Services{NSResource: s.socket}).AllocateUserRange(int(file(t, "ns").Fd()), tt.r); err != nil {
			t.Fatal(err)
		}
		got, fds := s.wait(t)
		p := got["parameters"].(map[string]any)
		if name, _ := p["name"].(string); len(name) != 8 || !strings.HasPrefix(name, "sbx-") {
			t.Errorf("name %q", name)
		}
		delete(p, "name")
		b, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if got["method"] != "io.systemd.NamespaceResource.AllocateUserRange" || string(b) != tt.want || len(fds) != 1 || content(t, fds[0]) != "ns" {
			t.Errorf("got %v %s, files %v", got["method"], b, fds)
		}
	}
}

func TestMountDirectory(t *testing.T) {
	dir := t.TempDir()
	s := serve(t, []*os.File{file(t, "other"), file(t, "mount")}, "{\"parameters\":{\"mountFileDescriptor\":1}}\x00")
	before := openFDs(t)
	fd, err := (Services{MountFS: s.socket}).MountDirectory(dir, int(file(t, "ns").Fd()), true)
	if err != nil {
		t.Fatal(err)
	}
	got, fds := s.wait(t)
	want := map[string]any{"method": "io.systemd.MountFileSystem.MountDirectory", "parameters": map[string]any{
		"directoryFileDescriptor": 0.0, "userNamespaceFileDescriptor": 1.0, "mode": "foreign", "readOnly": true}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
	if len(fds) != 2 || content(t, fds[1]) != "ns" {
		t.Fatalf("got files %v", fds)
	}
	if name, _ := os.Readlink("/proc/self/fd/" + strconv.Itoa(fds[0])); name != dir {
		t.Errorf("got directory %q", name)
	}
	if content(t, fd) != "mount" {
		t.Error("not the file that the reply names")
	}
	unix.Close(fd)
	closeAll(fds)
	s.fds = nil
	if after := openFDs(t); after > before+1 { // the file of the test
		t.Errorf("%d files are left open", after-before)
	}
}

func TestMissing(t *testing.T) {
	nowhere := Services{NSResource: "/nowhere/n", MountFS: "/nowhere/m"}
	err := nowhere.AllocateUserRange(0, UserRange{})
	if want := `systemd-nsresourced of systemd 260 or newer is to give ids for a user namespace, and does not run here: connecting to /nowhere/n: no such file or directory`; err == nil || err.Error() != want {
		t.Error(err)
	}
	_, err = nowhere.MountDirectory("/usr", 0, true)
	if want := `systemd-mountfsd of systemd 260 or newer is to give a mount of "/usr", and does not run here: connecting to /nowhere/m: no such file or directory`; err == nil || err.Error() != want {
		t.Error(err)
	}
	if _, err = nowhere.MountDirectory("/nowhere", 0, true); err == nil || err.Error() != `source "/nowhere": no such file or directory` {
		t.Error(err)
	}
	for reply, want := range map[string]string{
		dumb: "the reply has no mount",
		"{\"parameters\":{\"mountFileDescriptor\":1}}\x00":                   "the reply has no mount",
		"{\"error\":\"io.systemd.System\",\"parameters\":{\"errno\":2}}\x00": "io.systemd.System: no such file or directory",
	} {
		s := serve(t, []*os.File{file(t, "")}, reply)
		_, err = (Services{MountFS: s.socket}).MountDirectory("/usr", 0, false)
		s.wait(t)
		if err == nil || err.Error() != `systemd-mountfsd, asked for a mount of "/usr": `+want {
			t.Error(err)
		}
	}
}
