package eval

import "testing"

const smallScript = `# The standard small sandbox.
extra = param("extra", default = 0, type = "int", help = "read-only binds to add")

bind("/usr", ro = True)
symlink("usr/bin", "/bin")
symlink("usr/lib", "/lib")
symlink("usr/lib64", "/lib64")
bind("/opt", ro = True)
dev()
tmpfs("/tmp")

def add(n):
    for i in range(n):
        bind("/opt", "/m%d" % i, ro = True)

add(extra)
`

func benchmarkEval(b *testing.B, set [][2]string) {
	b.ReportAllocs()
	src := []byte(smallScript)
	for b.Loop() {
		if _, err := Eval(Options{File: "small.sbx.star", Source: src, Set: set}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEvalSmall(b *testing.B) { benchmarkEval(b, nil) }
func BenchmarkEval1000(b *testing.B)  { benchmarkEval(b, [][2]string{{"extra", "1000"}}) }
