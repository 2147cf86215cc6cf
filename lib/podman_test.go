//go:build linux

package lib_test

import (
	"fmt"
	"os"
	"testing"
)

func TestPodman(t *testing.T) {
	files := `
		.config/containers/registries.conf
		.config/containers/auth.json
		.config/containers/containers.conf.d/own.conf
		.local/share/containers/storage/x`
	runBoxes(t, []boxTest{
		{`podman()`, files, "", `
			ro .config/containers/registries.conf .config/containers/containers.conf.d/own.conf
			own .config/containers/containers.conf.d/zz-sbx.conf .config/containers/storage.conf /var/tmp
			rw .local/share/containers
			no .config/containers/auth.json .local/share/containers/storage
			env XDG_RUNTIME_DIR=/run/user/1000 PATH=/run/sbx:/usr/bin:/bin`},
		{`podman(storage = "none", login = True)`, files, "", `
			ro .config/containers/auth.json
			own .local/share/containers`},
	})
}

// TestPodmanIDs has the host grant ids.
func TestPodmanIDs(t *testing.T) {
	for _, tool := range []string{"/usr/bin/newuidmap", "/usr/bin/newgidmap"} {
		if _, err := os.Stat(tool); err != nil {
			t.Skip(err)
		}
	}
	b := newBox(t, `podman()`, `
		/etc/subuid: bob:100000:65536\nann:200000:65536\n1000:300000:10\nann:x:1\n
		/etc/subgid: ann:200000:65536`)
	b.check(`
		own /run/sbx/newuidmap /run/sbx/newgidmap /etc/subuid /etc/subgid
		no .config/containers/storage.conf
		env PATH=/run/sbx:/usr/bin:/bin`)
	id := b.plan.Identity
	if got := fmt.Sprint(id.UIDs, id.GIDs); got != "[{1000 1000 1} {200000 200000 65536} {300000 300000 9} {0 300009 1}] [{1000 1000 1} {200000 200000 65535} {0 265535 1}]" {
		t.Error(got)
	}
	if b.plan.NoNewPrivs || b.plan.Caps.Set != "none" || len(b.plan.Caps.Bounding) != 4 {
		t.Error(b.plan.NoNewPrivs, b.plan.Caps)
	}
	for _, op := range b.plan.Ops {
		switch op.Dst {
		case "/etc/subuid":
			if op.Data != "ann:200000:65536\nann:300000:9\n" {
				t.Errorf("%q", op.Data)
			}
		case "/etc/subgid":
			if op.Data != "ann:200000:65535\n" {
				t.Errorf("%q", op.Data)
			}
		}
	}
}
