//go:build linux

package main

// Ids from systemd-nsresourced and mounts from systemd-mountfsd, of which there
// are fakes here that do what counts: they map ids and hand out mounts.

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sbx/engine/enginetest/box"
	"sbx/engine/plan"
	"sbx/engine/run"
)

// fake are the two services on sockets in a directory.
type fake struct {
	t     *testing.T
	calls chan string // what was asked, in order
}

func newFake(t *testing.T, dir string) *fake {
	f := &fake{t, make(chan string, 20)}
	for name, handle := range map[string]func(map[string]any, []int, *unix.Ucred) (any, []int, error){
		"io.systemd.NamespaceResource": f.allocate, "io.systemd.MountFileSystem": f.mount,
	} {
		l, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		box.Must(t, err)
		t.Cleanup(func() { unix.Shutdown(l, unix.SHUT_RDWR); unix.Close(l) })
		box.Must(t, unix.Bind(l, &unix.SockaddrUnix{Name: filepath.Join(dir, name)}))
		box.Must(t, os.Chmod(filepath.Join(dir, name), 0o666))
		box.Must(t, unix.Listen(l, 5))
		go func() {
			for {
				conn, _, err := unix.Accept4(l, unix.SOCK_CLOEXEC)
				if err != nil {
					return
				}
				f.serve(conn, handle)
				unix.Close(conn)
			}
		}()
	}
	return f
}

// serve answers one call, of a few hundred bytes.
func (f *fake) serve(conn int, handle func(map[string]any, []int, *unix.Ucred) (any, []int, error)) {
	buf, oob := make([]byte, 4096), make([]byte, 256)
	n, oobn, _, _, err := unix.Recvmsg(conn, buf, oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return
	}
	var fds []int
	list, _ := unix.ParseSocketControlMessage(oob[:oobn])
	for i := range list {
		got, _ := unix.ParseUnixRights(&list[i])
		fds = append(fds, got...)
	}
	var call struct{ Parameters map[string]any }
	if err := json.Unmarshal(bytes.TrimRight(buf[:n], "\x00"), &call); err != nil {
		f.calls <- err.Error()
		return
	}
	peer, err := unix.GetsockoptUcred(conn, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		f.calls <- err.Error()
		return
	}
	reply, out, err := handle(call.Parameters, fds, peer)
	if err != nil {
		f.calls <- err.Error()
		reply, out = map[string]any{}, nil
	}
	b, _ := json.Marshal(map[string]any{"parameters": reply})
	unix.Sendmsg(conn, append(b, 0), unix.UnixRights(out...), nil, 0)
	for _, fd := range append(fds, out...) {
		unix.Close(fd)
	}
}

// allocate maps ids, in the caller's user namespace.
func (f *fake) allocate(p map[string]any, fds []int, peer *unix.Ucred) (any, []int, error) {
	ids := fmt.Sprintf("0 %d 65536\n", 0x30000)
	if p["type"] == "self" {
		inside := int(peer.Uid)
		if p["target"] != nil {
			inside = int(p["target"].(float64))
		}
		ids = fmt.Sprintf("%d %d 1\n", inside, peer.Uid)
		if p["mapForeign"] == true {
			ids += fmt.Sprintf("%d %[1]d 65536\n", 0x7ffe0000)
		}
		for i := range int(p["delegateContainerRanges"].(float64)) {
			ids += fmt.Sprintf("%d %[1]d 65536\n", 0x30000+i<<16)
		}
	}
	f.calls <- fmt.Sprintf("%s %v %v %v", p["type"], p["target"], p["mapForeign"], p["delegateContainerRanges"])
	inner := exec.Command("nsenter", "--user=/proc/self/fd/3", "--preserve-credentials", "sleep", "60")
	userns, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", fds[0]))
	if err != nil {
		return nil, nil, err
	}
	defer userns.Close()
	inner.ExtraFiles = []*os.File{userns}
	if err := inner.Start(); err != nil {
		return nil, nil, err
	}
	defer func() { inner.Process.Kill(); inner.Wait() }()
	want, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fds[0]))
	for ns := ""; ns != want; {
		ns, _ = os.Readlink(fmt.Sprintf("/proc/%d/ns/user", inner.Process.Pid))
	}
	mapper := exec.Command("/proc/self/exe", fmt.Sprint(inner.Process.Pid), ids)
	mapper.Args[0] = mapperName
	ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/user", peer.Pid))
	if err != nil {
		return nil, nil, err
	}
	defer ns.Close()
	mapper.ExtraFiles = []*os.File{ns}
	if out, err := mapper.CombinedOutput(); err != nil {
		return nil, nil, fmt.Errorf("%v: %s", err, out)
	}
	return map[string]any{}, nil, nil
}

// mapperName is the name of a process that maps ids.
const mapperName = "map ids"

// mapIDs writes the maps of a process, from the user namespace of file descriptor
// 3: that has to be the parent of the process's.
func mapIDs(pid, ids string) int {
	ours, _ := os.Readlink("/proc/self/ns/user")
	if theirs, _ := os.Readlink("/proc/self/fd/3"); ours != theirs {
		if err := run.EnterUserNS(3); err != nil {
			fmt.Println("entering:", err)
			return 1
		}
	}
	for _, name := range []string{"gid_map", "uid_map"} {
		if err := os.WriteFile("/proc/"+pid+"/"+name, []byte(ids), 0); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	return 0
}

// mount hands out a mount of the directory, as it is.
func (f *fake) mount(p map[string]any, fds []int, _ *unix.Ucred) (any, []int, error) {
	name, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fds[0]))
	f.calls <- fmt.Sprintf("mount %s %s %v", p["mode"], filepath.Base(name), p["readOnly"])
	// By name: it was opened in another mount namespace.
	fd, err := unix.OpenTree(unix.AT_FDCWD, name, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err == nil && p["readOnly"] == true {
		err = unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
	}
	if err != nil {
		return nil, nil, err
	}
	return map[string]any{"mountFileDescriptor": 0}, []int{fd}, nil
}

func TestForeign(t *testing.T) {
	box.Need(t)
	if os.Getuid() != 0 {
		t.Skip("needs root, for the services")
	}
	for _, tool := range []string{"nsenter", "setpriv"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	user, root := who{box.Users()[0]}, who{box.Users()[1]}
	for _, p := range programs() {
		t.Run(p.name, func(t *testing.T) {
			services, tree := root.Dir(t), user.Dir(t)
			box.Must(t, os.WriteFile(tree+"/file", []byte("text"), 0o644))
			f := newFake(t, services)
			run := func(want string, calls []string, args ...string) {
				t.Helper()
				n := len(args) - 1
				cmd := append([]string{"--bind", "/", "/", "--tmpfs", "/run", "--bind", services, "/run/systemd", "--bind", "/tmp", "/tmp", "--bind", box.Work, box.Work,
					"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps=-all"}, p.argv...)
				cmd = append(append(append(cmd, base()...), args[:n]...), "sh", "-c", args[n])
				r := box.Finish(t, root.command(t, programs()[0], cmd...))
				var got []string
				for len(f.calls) > 0 {
					got = append(got, <-f.calls)
				}
				if r.Code != 0 || strings.Join(strings.Fields(r.Out), " ") != want || strings.Join(got, "; ") != strings.Join(calls, "; ") {
					t.Errorf("%q: %s\nwant %s\ncalls %q, want %q", args, r, want, got, calls)
				}
			}
			show := "id -u; cat /proc/self/uid_map; " + statusLine + "line CapEff; line CapBnd; ls /proc/self/task | wc -l"
			build := fmt.Sprintf("%016x", plan.CapSet(plan.BuildCaps))
			run("65534 65534 65534 1 2147352576 2147352576 65536 "+build+" "+build+" 1", []string{"self <nil> true 0"}, "--map-foreign", show)
			run("0 0 65534 1 196608 196608 65536 262144 262144 65536 "+build+" "+build+" 1", []string{"self 0 false 2"}, "--map-delegate", "2", "--become-root", show)
			run("0 0 196608 65536 "+build+" "+build+" 1 text",
				[]string{"self <nil> false 1", "managed 0 false 0", "mount foreign " + filepath.Base(tree) + " true"},
				"--ro-bind-foreign", tree, "/x", "--become-root", show+"; cat /x/file; touch /x/new 2>/dev/null && echo writable; true")
		})
	}
}
