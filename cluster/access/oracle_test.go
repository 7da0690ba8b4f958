package access

import (
	"encoding/hex"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The oracle decides from the texts of roles and grants, by regular expressions over
// keys in hexadecimal. It shares no line with the package.

type oracleRole struct {
	verbs  string // separated by spaces
	scopes string // likewise
}

type oracleGrant struct{ role, on string }

const (
	oracleData   = "read write delete scan"
	oracleServer = "status admin-clients admin-config admin-maintain admin-buckets admin-cluster admin-users"
)

// oracleRoles are the built-in roles, as the documentation promises them.
func oracleRoles() map[string]oracleRole {
	return map[string]oracleRole{
		"reader":   {"read scan", "*:*"},
		"writer":   {oracleData, "*:*"},
		"operator": {strings.TrimSuffix(oracleServer, " admin-users"), "*:*"},
		"admin":    {oracleData + " " + oracleServer, "*:*"},
	}
}

func oracleAllows(roles map[string]oracleRole, grants []oracleGrant, verb, bucket, key string) bool {
	for _, g := range grants {
		r := roles[g.role]
		if !slices.Contains(strings.Fields(r.verbs), verb) {
			continue
		}
		if slices.Contains(strings.Fields(oracleServer), verb) {
			return true
		}
		for _, s := range strings.Fields(r.scopes) {
			if oracleMatches(s, bucket, key) && (g.on == "" || oracleMatches(g.on, bucket, key)) {
				return true
			}
		}
	}
	return false
}

// oracleAllowsSet asks for each verb by itself.
func oracleAllowsSet(roles map[string]oracleRole, grants []oracleGrant, verbs []string, bucket, key string) bool {
	for _, v := range verbs {
		if !oracleAllows(roles, grants, v, bucket, key) {
			return false
		}
	}
	return len(verbs) > 0
}

var (
	oraclePatterns = map[string]*regexp.Regexp{}
	oracleAnswers  = map[[3]string]bool{} // asked again and again
)

func oracleMatches(scope, bucket, key string) bool {
	question := [3]string{scope, bucket, key}
	answer, known := oracleAnswers[question]
	if !known {
		answer = oracleMatch(scope, bucket, key)
		oracleAnswers[question] = answer
	}
	return answer
}

func oracleMatch(scope, bucket, key string) bool {
	b, pattern, _ := strings.Cut(scope, ":")
	if b != "*" && b != bucket {
		return false
	}
	re := oraclePatterns[pattern]
	if re == nil {
		re = regexp.MustCompile("^" + oracleHex(pattern) + "$")
		oraclePatterns[pattern] = re
	}
	return re.MatchString(hex.EncodeToString([]byte(key)))
}

var oracleToken = regexp.MustCompile(`(?s)\\x..|\\.|.`)

func oracleHex(pattern string) string {
	return oracleToken.ReplaceAllStringFunc(pattern, func(s string) string {
		switch {
		case s == "*":
			return "(..)*"
		case strings.HasPrefix(s, `\x`):
			n, err := strconv.ParseUint(s[2:], 16, 8)
			if err != nil {
				panic(err)
			}
			return hex.EncodeToString([]byte{byte(n)})
		}
		return hex.EncodeToString([]byte(strings.TrimPrefix(s, `\`)))
	})
}
