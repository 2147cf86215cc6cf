package probe

// This file has newuidmap(1) and newgidmap(1) map the caller's subordinate ids.

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

func (h *host) subordinateIDs() finding {
	uid := os.Geteuid()
	if h.privileged() {
		if _, err := ask(0, many, actHello); err != nil {
			return finding{Missing, "a map of 65536 ids: " + err.Error(), ""}
		}
		return finding{OK, "root maps any ids", ""}
	}
	user := userName(readText("/etc/passwd"), uid)
	uids, end1 := subRanges(readText("/etc/subuid"), user, uid)
	gids, end2 := subRanges(readText("/etc/subgid"), user, uid)
	for _, file := range []struct {
		name   string
		ranges []idRange
	}{{"/etc/subuid", uids}, {"/etc/subgid", gids}} {
		if len(file.ranges) == 0 {
			who := strconv.Itoa(uid)
			if user != "" {
				who = strconv.Quote(user)
			}
			return finding{Missing, file.name + " has no range for " + who, mendSubIDs(user, uid, max(end1, end2))}
		}
	}
	if h.facts().noNewPrivs {
		return finding{Missing, "no_new_privs is set, so newuidmap(1) gets no rights", ""}
	}
	if h.userNamespaces().status != OK {
		return unknown("needs a user namespace", nil)
	}

	c, err := start(0, unmapped, actWait)
	if err != nil {
		return unknown(selfStart, err)
	}
	defer c.stop()
	if _, err := c.recv(); err != nil {
		return unknown(selfStart, err)
	}
	for _, m := range []struct {
		tool string
		id   int
		sub  idRange
	}{{"newuidmap", uid, uids[0]}, {"newgidmap", os.Getegid(), gids[0]}} {
		path := lookPath(m.tool)
		if path == "" {
			return finding{Missing, m.tool + " is not installed", mendNewuidmap}
		}
		// Without either it runs, and is refused: say the cause instead.
		if !setuidRoot(path) {
			return finding{Missing, path + " is neither setuid root nor has it file capabilities", "sudo chmod u+s " + quoteSh(path)}
		}
		out, err := output(path, strconv.Itoa(c.pid), "0", strconv.Itoa(m.id), "1",
			"1", strconv.FormatUint(m.sub.start, 10), strconv.FormatUint(m.sub.count, 10))
		if err != nil {
			return finding{Missing, m.tool + ": " + strings.TrimSpace(out+" "+err.Error()), ""}
		}
	}
	return finding{OK, "mapped " + strconv.FormatUint(uids[0].count, 10) + " user and " +
		strconv.FormatUint(gids[0].count, 10) + " group ids with newuidmap and newgidmap", ""}
}

// lookPath finds a program; those of sbin may be missing from an ordinary PATH.
func lookPath(name string) string {
	for dir := range strings.SplitSeq(os.Getenv("PATH")+":/usr/bin:/bin:/usr/sbin:/sbin", ":") {
		if !strings.HasPrefix(dir, "/") {
			continue
		}
		path := dir + "/" + name
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}

// setuidRoot reports whether a program gets rights that its caller has not.
func setuidRoot(path string) bool {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return false
	}
	if st.Mode&unix.S_ISUID != 0 && st.Uid == 0 {
		return true
	}
	n, err := unix.Getxattr(path, "security.capability", nil)
	return err == nil && n > 0
}

// output runs a program and returns what it says.
func output(path string, args ...string) (string, error) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return "", err
	}
	defer unix.Close(pipe[0])
	end := uintptr(pipe[1])
	pid, err := syscall.ForkExec(path, append([]string{path}, args...), &syscall.ProcAttr{
		Env: []string{"LC_ALL=C"}, Files: []uintptr{end, end, end},
		Sys: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}, // the caller is locked to its thread, see start
	})
	unix.Close(pipe[1])
	if err != nil {
		return "", err
	}
	var text []byte
	buf := make([]byte, 512)
	for len(text) < 1<<16 {
		if err := waitReadable(pipe[0], patience); err != nil {
			reap(pid)
			return "", err
		}
		n, err := unix.Read(pipe[0], buf)
		if n <= 0 && err != unix.EINTR {
			break
		}
		text = append(text, buf[:max(n, 0)]...)
	}
	var status unix.WaitStatus
	for {
		if _, err := unix.Wait4(pid, &status, 0, nil); err != unix.EINTR {
			break
		}
	}
	if !status.Exited() || status.ExitStatus() != 0 {
		return string(text), errors.New("exit status " + strconv.Itoa(status.ExitStatus()))
	}
	return string(text), nil
}
