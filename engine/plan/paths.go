package plan

import "strings"

// Within reports whether the clean absolute path p is dir or lies below it.
func Within(p, dir string) bool {
	return dir == "/" || strings.HasPrefix(p, dir) && (len(p) == len(dir) || p[len(dir)] == '/')
}

// ComparePaths orders clean absolute paths component by component, so that /a/b
// comes before /a.b.
func ComparePaths(x, y string) int {
	for i := 0; i < len(x) && i < len(y); i++ {
		if x[i] != y[i] {
			switch {
			case x[i] == '/':
				return -1
			case y[i] == '/':
				return 1
			}
			return int(x[i]) - int(y[i])
		}
	}
	return len(x) - len(y)
}
