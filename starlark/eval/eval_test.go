package eval

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"sbx/engine/plan"
)

// fakeHost is a machine made of a few files.
type fakeHost struct {
	files map[string]string // a name ending in / is a directory
	env   map[string]string
}

func newFakeHost() *fakeHost {
	return &fakeHost{
		files: map[string]string{
			"/etc/passwd":     "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000:Ann:/home/ann:/bin/bash\n",
			"/etc/os-release": "# comment\nID=debian\nVERSION_ID=\"13\"\nNAME='Debian'\nPRETTY=\"a \\\"b\\\"\"\n",
			"/usr/bin/":       "",
			"/usr/bin/make":   "x",
			"/opt/sdk/":       "",
			"/data/b":         "two",
			"/data/a":         "one",
			"/data/noexec":    "",
		},
		env: map[string]string{"HOME": "/home/ann", "PATH": "relative:/nowhere:/usr/bin", "CI": "", "LANG": "C"},
	}
}

func (h *fakeHost) LookupEnv(name string) (string, bool) { v, ok := h.env[name]; return v, ok }
func (h *fakeHost) Environ() (out []string) {
	for k, v := range h.env {
		out = append(out, k+"="+v)
	}
	return out
}
func (h *fakeHost) Cwd() (string, error)           { return "/work/dir", nil }
func (h *fakeHost) IDs() (int, int)                { return 1000, 1001 }
func (h *fakeHost) Uname() (string, string, error) { return "x86_64", "6.1.0", nil }
func (h *fakeHost) Stat(path string) (fs.FileMode, error) {
	if _, ok := h.files[path+"/"]; ok {
		return fs.ModeDir | 0o755, nil
	}
	if errno, ok := map[string]syscall.Errno{"/shut": syscall.EACCES, "/loop": syscall.ELOOP, "/failing": syscall.EIO}[path]; ok {
		return 0, &fs.PathError{Op: "stat", Path: path, Err: errno}
	}
	if _, ok := h.files[path]; !ok {
		return 0, &fs.PathError{Op: "stat", Path: path, Err: syscall.ENOENT}
	}
	if strings.HasPrefix(path, "/usr/bin/") {
		return 0o755, nil
	}
	return 0o644, nil
}
func (h *fakeHost) ReadFile(path string, limit int64) ([]byte, error) {
	if _, ok := h.files[path+"/"]; ok {
		return nil, errIsDir
	}
	s, ok := h.files[path]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: path, Err: syscall.ENOENT}
	}
	if int64(len(s)) > limit {
		return nil, errTooLarge(limit)
	}
	return []byte(s), nil
}
func (h *fakeHost) Glob(pattern string) (out []string, err error) {
	for name := range h.files {
		ok, err := filepath.Match(pattern, name)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, name)
		}
	}
	return out, nil
}
func (h *fakeHost) Realpath(path string) (string, error) {
	if path == "/lib" {
		return "/usr/lib", nil
	}
	return "", &fs.PathError{Op: "lstat", Path: path, Err: syscall.ENOENT}
}

func (h *fakeHost) Readlink(path string) (string, error) {
	if path == "/lib" {
		return "usr/lib", nil
	}
	return "", &fs.PathError{Op: "readlink", Path: path, Err: syscall.EINVAL}
}
func (h *fakeHost) Symlinks(dir string, depth, limit int) ([]string, error) {
	if dir == "/" {
		return []string{"/lib", "/a"}, nil
	}
	return nil, &fs.PathError{Op: "open", Path: dir, Err: syscall.ENOENT}
}

// eval evaluates src as the file t.star on a fake host.
func evalText(src string, set ...[2]string) (*plan.Plan, error) {
	return Eval(Options{File: "t.star", Source: []byte(src), Set: set, Host: newFakeHost(), Args: []string{"a", "b"}, MaxMemory: 8 << 30})
}

func diagnostics(t *testing.T, err error) plan.Diagnostics {
	t.Helper()
	var ds plan.Diagnostics
	if err != nil && !errors.As(err, &ds) {
		t.Fatalf("error is a %T: %v", err, err)
	}
	return ds
}

// TestChunks runs each file of testdata: chunks between lines of ---, each of
// them a script. A line that is at fault says so by ### "regexp", matched
// against "op: message | hint"; a chunk without such lines has to succeed.
func TestChunks(t *testing.T) {
	files, err := filepath.Glob("testdata/*.star")
	if err != nil || len(files) == 0 {
		t.Fatal("no testdata")
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(file), func(t *testing.T) { runChunks(t, file, string(text)) })
	}
}

func runChunks(t *testing.T, file, text string) {
	line := 1
	for _, chunk := range strings.Split(text, "\n---\n") {
		checkChunk(t, file, line, chunk)
		line += strings.Count(chunk, "\n") + 2
	}
}

var expectation = regexp.MustCompile(`###\s*("(?:[^"\\]|\\.)*"|` + "`[^`]*`" + `)`)

func checkChunk(t *testing.T, file string, first int, chunk string) {
	type want struct {
		line int
		re   *regexp.Regexp
	}
	var wants []want
	for i, l := range strings.Split(chunk, "\n") {
		for _, m := range expectation.FindAllStringSubmatch(l, -1) {
			s, err := strconv.Unquote(m[1])
			if err != nil {
				t.Fatalf("%s:%d: %v", file, first+i, err)
			}
			re, err := regexp.Compile(s)
			if err != nil {
				t.Fatalf("%s:%d: %v", file, first+i, err)
			}
			wants = append(wants, want{first + i, re})
		}
	}
	// Blank lines before it give the chunk the line numbers of the file.
	src := strings.Repeat("\n", first-1) + chunk
	_, err := evalText(src, [2]string{"given", "x"}, [2]string{"many", "a,b"}, [2]string{"many", "c"}, [2]string{"number", "0x10"})
	for _, d := range diagnostics(t, err) {
		if strings.Contains(d.Msg, "has no parameter") {
			continue // not every chunk declares them
		}
		got := d.Op + ": " + d.Msg + " | " + d.Hint
		found := false
		for i, w := range wants {
			if w.line == int(d.At.Pos.Line) && w.re.MatchString(got) {
				wants = append(wants[:i], wants[i+1:]...)
				found = true
				break
			}
		}
		if !found {
			t.Errorf("%s:%d:%d: unexpected: %s", file, d.At.Pos.Line, d.At.Pos.Col, got)
		}
	}
	for _, w := range wants {
		t.Errorf("%s:%d: no error matches %q", file, w.line, w.re)
	}
}
