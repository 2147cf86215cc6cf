package probe

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"sbx/engine/enginetest/box"
)

// Variables that make the test binary do something else.
const (
	scenarioEnv = "SBX_PROBE_TEST_SCENARIO"
	droppedEnv  = "SBX_PROBE_TEST_DROPPED"
)

func TestMain(m *testing.M) {
	ChildMain()
	if len(os.Args) == 2 && os.Args[1] == childArg {
		fmt.Print("not a child")
		os.Exit(0)
	}
	if name := os.Getenv(scenarioEnv); name != "" {
		if err := scenarios[name].prepare(os.Args[1]); err != nil {
			fmt.Println("prepare:", err)
			os.Exit(77)
		}
		r, _ := Run(scenarios[name].probe)
		fmt.Printf("%s\n%s\n%s", r.Status, r.Detail, r.Mend)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// environ is for a process started by a test: in one built with -race it would
// linger for a second at its end.
func environ(more ...string) []string {
	return append(append(os.Environ(), "GORACE=atexit_sleep_ms=0"), more...)
}

// asNobody runs one test of this binary again as a user without any rights.
func asNobody(t *testing.T, test string) {
	t.Helper()
	if os.Geteuid() != 0 {
		return // the test itself is that run
	}
	dropped(t, "/proc/self/exe", test)
}

// dropped runs one test of a copy of this binary as that user.
func dropped(t *testing.T, prog, test string) {
	t.Helper()
	cmd := box.Users()[0].Command(t, prog, "-test.run=^"+test+"$", "-test.v")
	cmd.Env = environ(droppedEnv + "=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("as user 65534: %v\n%s", err, out)
	}
	// A nested skip shows, but only as text.
	if strings.Contains(string(out), "--- SKIP") {
		t.Logf("as user 65534:\n%s", out)
	}
}
