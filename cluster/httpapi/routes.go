package httpapi

import (
	"net/http"

	"github.com/ringwood-kv/ringwood/cluster/access"
)

// route is an endpoint. Verb is what it takes of the verbs on the server as a whole; what
// it takes on keys and buckets, its handler asks for.
type route struct {
	method, pattern string
	verb            access.Verb
	public          bool // no login
	handle          func(c *call) error
}

const (
	keyPattern    = "/v1/buckets/{bucket}/keys/{key...}"
	bucketPattern = "/v1/buckets/{bucket}"
	userPattern   = "/v1/users/{user}"
)

// routes are all endpoints. GET is HEAD too.
var routes = []route{
	{method: http.MethodGet, pattern: keyPattern, handle: getKey},
	{method: http.MethodPut, pattern: keyPattern, handle: putKey},
	{method: http.MethodDelete, pattern: keyPattern, handle: deleteKey},
	{method: http.MethodPost, pattern: keyPattern, handle: postKey},

	{method: http.MethodGet, pattern: bucketPattern + "/keys", handle: scanKeys},
	{method: http.MethodPost, pattern: bucketPattern + "/multi-get", handle: multiGet},
	{method: http.MethodPost, pattern: bucketPattern + "/batch", handle: batch},

	{method: http.MethodGet, pattern: "/v1/buckets", handle: listBuckets},
	{method: http.MethodGet, pattern: bucketPattern, handle: getBucket},
	{method: http.MethodPut, pattern: bucketPattern, verb: access.AdminBuckets, handle: createBucket},
	{method: http.MethodPatch, pattern: bucketPattern, verb: access.AdminBuckets, handle: alterBucket},
	{method: http.MethodDelete, pattern: bucketPattern, verb: access.AdminBuckets, handle: dropBucket},
	{method: http.MethodPost, pattern: bucketPattern + "/empty", handle: emptyBucket},

	{method: http.MethodGet, pattern: "/v1/whoami", handle: whoAmI},
	{method: http.MethodGet, pattern: "/v1/users", verb: access.AdminUsers, handle: listUsers},
	{method: http.MethodGet, pattern: userPattern, handle: getUser},
	{method: http.MethodPut, pattern: userPattern, handle: createUser},
	{method: http.MethodPatch, pattern: userPattern, handle: changeUser},
	{method: http.MethodDelete, pattern: userPattern, handle: deleteUser},
	{method: http.MethodPut, pattern: userPattern + "/password", handle: setPassword},
	{method: http.MethodDelete, pattern: userPattern + "/password", handle: dropPassword},
	{method: http.MethodPost, pattern: userPattern + "/tokens", handle: addToken},
	{method: http.MethodDelete, pattern: userPattern + "/tokens/{id}", handle: dropToken},
	{method: http.MethodGet, pattern: "/v1/roles", verb: access.AdminUsers, handle: listRoles},
	{method: http.MethodPut, pattern: "/v1/roles/{role}", handle: setRole},
	{method: http.MethodDelete, pattern: "/v1/roles/{role}", handle: deleteRole},

	{method: http.MethodGet, pattern: "/v1/status", verb: access.Status, handle: getStatus},
	{method: http.MethodGet, pattern: "/v1/config", verb: access.AdminConfig, handle: getConfig},
	{method: http.MethodGet, pattern: "/v1/slowlog", verb: access.Status, handle: getSlowLog},
	{method: http.MethodGet, pattern: "/v1/top", verb: access.Status, handle: getTop},
	{method: http.MethodPost, pattern: "/v1/admin/flush", verb: access.AdminMaintain, handle: flush},
	{method: http.MethodPost, pattern: "/v1/admin/compact", verb: access.AdminMaintain, handle: compact},
	{method: http.MethodPost, pattern: "/v1/admin/checkpoint", verb: access.AdminMaintain, handle: checkpoint},

	{method: http.MethodGet, pattern: "/v1/openapi.json", public: true, handle: getOpenAPI},
}

// Routes returns method and pattern of all endpoints, as in GET /v1/buckets.
func Routes() []string {
	all := make([]string, len(routes))
	for i, r := range routes {
		all[i] = r.method + " " + r.pattern
	}
	return all
}
