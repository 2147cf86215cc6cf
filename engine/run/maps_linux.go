package run

// The maps of a user namespace with more ids than the caller's own: the kernel
// lets root write them, and newuidmap(1) and newgidmap(1) do it for others, as
// far as subuid(5) and subgid(5) grant them.

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"sbx/engine/plan"
)

// mapIDs maps the ids of the user namespace of a process.
func mapIDs(p *plan.Plan, pid int) error {
	for _, m := range []struct {
		file, tool, subs string
		ranges           []plan.IDRange
	}{{"gid_map", "newgidmap", "/etc/subgid", p.Identity.GIDs}, {"uid_map", "newuidmap", "/etc/subuid", p.Identity.UIDs}} {
		if len(m.ranges) == 0 {
			continue
		}
		path := "/proc/" + strconv.Itoa(pid) + "/" + m.file
		text := ""
		for _, r := range m.ranges {
			text += fmt.Sprintf("%d %d %d\n", r.Inside, r.Outside, r.Count)
		}
		if writeFile(path, text) == nil {
			continue
		}
		if len(m.ranges) == 1 && m.ranges[0].Count == 1 { // one's own is for everyone, without a say in groups
			if writeFile("/proc/"+strconv.Itoa(pid)+"/setgroups", "deny"); writeFile(path, text) == nil {
				continue
			}
		}
		fault := func(hint, format string, args ...any) error {
			return plan.Diagnostics{{At: p.Where["map_ids"], Op: "map_ids", Msg: fmt.Sprintf(format, args...), Hint: hint}}
		}
		tool := findTool(m.tool)
		if tool == "" {
			return fault("sbx doctor tells how to install it", "%s is not installed, which maps subordinate ids", m.tool)
		}
		args := append([]string{tool, strconv.Itoa(pid)}, strings.Fields(text)...)
		if out, err := output(tool, args); err != nil {
			return fault("it maps what "+m.subs+" grants the caller; sbx doctor tells whether it works",
				"%s: %s", strings.Join(append([]string{m.tool}, args[2:]...), " "), plan.Printable(strings.Join(strings.Fields(out+" "+err.Error()), " ")))
		}
	}
	return nil
}

func writeFile(path, text string) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, []byte(text)) // at once, or not at all
	return err
}

// findTool finds a program with set-id rights, by the directories of the system.
func findTool(name string) string {
	for _, dir := range []string{"/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin", "/run/wrappers/bin"} {
		path := dir + "/" + name
		if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}

// output runs a program, without standard input, and returns what it says.
func output(path string, args []string) (string, error) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return "", err
	}
	defer unix.Close(pipe[0])
	null, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		unix.Close(pipe[1])
		return "", err
	}
	end := uintptr(pipe[1])
	pid, err := syscall.ForkExec(path, args, &syscall.ProcAttr{
		Env: []string{"LC_ALL=C"}, Files: []uintptr{uintptr(null), end, end},
	})
	unix.Close(null)
	unix.Close(pipe[1])
	if err != nil {
		return "", err
	}
	var text []byte
	buf := make([]byte, 512)
	for len(text) < 1<<16 {
		n, err := unix.Read(pipe[0], buf)
		if n <= 0 && err != unix.EINTR {
			break
		}
		text = append(text, buf[:max(n, 0)]...)
	}
	if status := waitFor(pid); !status.Exited() || status.ExitStatus() != 0 {
		return string(text), fmt.Errorf("exit status %d", status.ExitStatus())
	}
	return string(text), nil
}
