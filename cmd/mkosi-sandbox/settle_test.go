//go:build linux

package main

import (
	"testing"

	"golang.org/x/sys/unix"

	"sbx/engine/argv/mkosi"
	"sbx/engine/host"
)

// TestSettle has the options without effect where the original has none.
func TestSettle(t *testing.T) {
	const admin, net = 1 << unix.CAP_SYS_ADMIN, 1 << unix.CAP_NET_ADMIN
	for _, tt := range []struct {
		args []string
		uid  uint32
		caps uint64
		here circumstances
		net  bool
		sup  bool
		nnp  bool
		mode string
	}{
		{args: []string{"--unshare-net", "--suppress-chown"}, uid: 5, net: true, sup: true, nnp: true},
		{args: []string{"--unshare-net", "--suppress-chown"}, uid: 5, caps: admin},
		{args: []string{"--unshare-net", "--suppress-chown"}, uid: 5, caps: admin, here: circumstances{stuck: true}, sup: true, nnp: true},
		{args: []string{"--unshare-net"}, uid: 5, caps: admin | net, net: true},
		{args: []string{"--unshare-net", "--become-root"}, uid: 5, caps: admin, net: true},
		{args: []string{"--unshare-net", "--become-root", "--suppress-chown"}, caps: admin | net, net: true},
		{args: []string{"--suppress-sync"}, caps: admin, nnp: true},
		{args: []string{"--write", "a", "/a"}, caps: admin, here: circumstances{umask: 0o027}, mode: "0640"},
		{args: []string{"--write", "a", "/a"}, caps: admin, mode: "0666"},
	} {
		l, ds := mkosi.Parse(tt.args, "/")
		if len(ds) > 0 {
			t.Fatal(ds)
		}
		p := l.Plan
		settle(p, &host.Facts{UID: tt.uid, GID: tt.uid, Caps: tt.caps}, tt.here)
		if p.Unshare.Net != tt.net || p.SuppressChown != tt.sup || p.NoNewPrivs != tt.nnp {
			t.Errorf("%q, uid %d, caps %x: net %t, suppress chown %t, no new privs %t", tt.args, tt.uid, tt.caps, p.Unshare.Net, p.SuppressChown, p.NoNewPrivs)
		}
		if tt.mode != "" && p.Ops[0].Mode.String() != tt.mode {
			t.Errorf("%q, umask %o: mode %s", tt.args, tt.here.umask, p.Ops[0].Mode)
		}
	}
	for m, want := range map[string]bool{
		"         0       1000          1\n": true, "         0          0 4294967295\n": false, "0 1000 1\n1 100000 65536\n": false, "": false,
	} {
		if singleUser(m) != want {
			t.Errorf("%q: %t", m, !want)
		}
	}
}
