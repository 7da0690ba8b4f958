package config

import "strings"

// nearest returns the name that is most like what somebody wrote, "" if none is. It
// counts letters that are missing, too many, other ones, or swapped with the next.
func nearest(wrong string, names []string) string {
	wrong = strings.ReplaceAll(strings.ToLower(wrong), "_", "-")
	if len(wrong) > 64 {
		return ""
	}
	best, least := "", max(2, len(wrong)/3)+1
	for _, n := range names {
		if d := distance(wrong, n); d < least {
			best, least = n, d
		}
	}
	if best == "" && len(wrong) >= 4 { // a part of a name
		for _, n := range names {
			if strings.Contains(n, wrong) && (best == "" || len(n) < len(best)) {
				best = n
			}
		}
	}
	return best
}

// distance is the optimal string alignment distance.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}

// didYouMean is the sentence about an unknown name.
func didYouMean(wrong string, names []string, form func(name string) string) string {
	if n := nearest(wrong, names); n != "" {
		return "Did you mean " + form(n) + "?"
	}
	return "kvnode --help shows all names."
}
