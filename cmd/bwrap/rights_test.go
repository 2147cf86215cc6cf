//go:build linux

package main

// What is told where a host lets everybody make user namespaces, and gives no rights
// in them: that is what callers look for to know.

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"

	"sbx/engine/enginetest/box"
)

// deny is a filter that refuses a system call with EPERM.
func deny(nr int) string {
	var b []byte
	for _, in := range []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}, // the number of the call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: uint32(nr)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	} {
		b = binary.NativeEndian.AppendUint16(b, in.Code)
		b = append(b, in.Jt, in.Jf)
		b = binary.NativeEndian.AppendUint32(b, in.K)
	}
	return string(b)
}

func TestNoRights(t *testing.T) {
	each(t, func(t *testing.T, w who) {
		for _, tt := range []struct {
			name string
			nr   int
			args []string
			want string
		}{
			{"mounts", unix.SYS_FSOPEN, nil, "bwrap: Failed to make / slave: Operation not permitted\n"},
			{"interfaces", unix.SYS_IOCTL, []string{"--unshare-net"}, "bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted\n"},
			{"sockets", unix.SYS_SOCKET, []string{"--unshare-net"}, "bwrap: loopback: Failed to create NETLINK_ROUTE socket: Operation not permitted\n"},
		} {
			args := root("--cap-add", "ALL", "--proc", "/proc", "--seccomp", "3", ours, "--unshare-user", "--ro-bind", "/", "/")
			cmd := w.command(t, append(append(args, tt.args...), "true")...)
			cmd.ExtraFiles = append(cmd.ExtraFiles, data(t, deny(tt.nr)))
			if r := box.Finish(t, cmd); r.Code != 1 || r.Out != "" || r.Err != tt.want {
				t.Errorf("%s: %s\nwant stderr:\n%s", tt.name, r, tt.want)
			}
		}
		// Since Linux 5.12 nobody without CAP_SETFCAP gives a 0 on.
		r := w.run(t, root("--unshare-user", "--uid", "0", "--cap-drop", "ALL", "--proc", "/proc", ours, "--unshare-user", "--unshare-net", "--ro-bind", "/", "/", "true")...)
		if want := "bwrap: setting up uid map: Operation not permitted\n"; r.Code != 1 || r.Err != want {
			t.Errorf("ids: %s\nwant stderr:\n%s", r, want)
		}
	})
}
