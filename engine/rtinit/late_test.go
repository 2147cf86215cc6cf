//go:build linux && (amd64 || arm64)

package rtinit

import (
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

// The variable again has an x for each process that was tried, of which tries are enough.
const (
	again = "SBX_TEST_AGAIN"
	tries = "xxxxxxxxxx"
)

// TestLate wants the monitor to be late, and then as punctual as before.
func TestLate(t *testing.T) {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, task := range tasks {
		tid, _ := strconv.Atoi(task.Name())
		found = found || tid > os.Getpid() && tid <= os.Getpid()+reach
	}
	if !found { // threads of others began in between, or the numbers began anew: try in another process
		if os.Getenv(again) == tries {
			t.Fatal("in none of the processes tried the monitor's number was within reach")
		}
		cmd := exec.Command(os.Args[0], "-test.run=^TestLate$")
		cmd.Env = append(os.Environ(), again+"="+os.Getenv(again)+"x")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return
	}
	wait := func(slack uintptr) {
		t.Helper()
		for end := time.Now().Add(time.Minute); atomic.LoadUintptr(&given) != slack; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("the monitor's timer slack is %d, not %d", atomic.LoadUintptr(&given), slack)
			}
		}
	}
	wait(Lateness)
	Punctual()
	wait(Slack)
	beLate() // for the next run
	wait(Lateness)
	if Slack == 0 || Slack == Lateness {
		t.Error(Slack)
	}
}
