//go:build linux

package enginetest

// Memory: sbx stays as long as its command, so it must be small.

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"sbx/engine/enginetest/box"
)

func TestPeakMemory(t *testing.T) {
	const limit = 15 << 10 // KiB
	asUser(t, func(t *testing.T, w who) {
		cmd := w.command(t, base()+"[bind('/usr', '/m%d' % i, ro = True) for i in range(1000)]\n", "sh", "-c", "echo up; read x")
		in, err := cmd.StdinPipe()
		box.Must(t, err)
		out, err := cmd.StdoutPipe()
		box.Must(t, err)
		box.Must(t, cmd.Start())
		defer cmd.Wait()
		defer in.Close()
		_, err = out.Read(make([]byte, 8))
		box.Must(t, err)
		status, err := os.ReadFile("/proc/" + itoa(cmd.Process.Pid) + "/status")
		box.Must(t, err)
		_, rest, _ := strings.Cut(string(status), "VmHWM:")
		kib, err := strconv.Atoi(strings.Fields(rest)[0])
		box.Must(t, err)
		t.Logf("%d KiB at the peak", kib)
		if kib > limit {
			t.Errorf("%d KiB at the peak, want at most %d", kib, limit)
		}
	})
}
