//go:build linux && (amd64 || arm64)

package rtinit

import (
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
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
	if !found {
		t.Skip("the monitor's number is out of reach")
	}
	wait := func(slack uintptr) {
		t.Helper()
		for end := time.Now().Add(time.Minute); atomic.LoadUintptr(&given) != slack; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("the monitor's timer slack is %d, not %d", atomic.LoadUintptr(&given), slack)
			}
		}
	}
	wait(lateness)
	Punctual()
	wait(Slack)
	beLate() // for the next run
	wait(lateness)
	if Slack == 0 || Slack == lateness {
		t.Error(Slack)
	}
}
