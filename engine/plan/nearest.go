package plan

// Nearest: "did you mean".

// Nearest returns the candidate that s is probably a misspelling of, or "".
// Letter case, "_" and "-" do not count.
func Nearest(s string, candidates []string) string {
	if len(s) > 64 {
		return ""
	}
	x := fold(s)
	best, at := "", max(len(x)/3+1, 2) // so many faults are too many
	if len(x) < 3 {
		at = 1
	}
	for _, c := range candidates {
		y := fold(c)
		if d := len(y) - len(x); d >= at || -d >= at {
			continue
		}
		if d := distance(x, y); d < at {
			best, at = c, d
		}
	}
	return best
}

func fold(s string) string {
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		switch b := s[i]; {
		case b == '_' || b == '-':
		case b >= 'A' && b <= 'Z':
			out = append(out, b|0x20)
		default:
			out = append(out, b)
		}
	}
	return string(out)
}

// distance is the number of bytes to insert, remove, replace or swap with
// their neighbour to get from x to y.
func distance(x, y string) int {
	var rows [3][]int
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
	}
	before, above, row := rows[0], rows[1], rows[2]
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above, row = above, row, before
	}
	return above[len(y)]
}
