package config

import "strings"

// Near returns the name that was meant most likely, or "" if none comes near.
func Near(name string, names []string) string {
	best, least := "", max(len(name)/3, 1)+1
	for _, n := range names {
		if d := distance(strings.ToLower(name), strings.ToLower(n)); d < least {
			best, least = n, d
		}
	}
	return best
}

// distance is the least number of letters to change, add, leave out or exchange with the next (Damerau) between two
// names. It looks at no more than the beginning of what is no name any more.
func distance(from, to string) int {
	a, b := []rune(from), []rune(to)
	a, b = a[:min(len(a), maxName)], b[:min(len(b), maxName)]
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		last := row
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range b {
			change := last[j]
			if a[i] != b[j] {
				change++
			}
			next[j+1] = min(change, last[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = last, next
	}
	return row[len(b)]
}
