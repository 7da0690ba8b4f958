// Package config is the configuration of kvnode: one table of settings, from which come
// the flags, the environment variables, the file, the help, and the checks.
//
//	loaded, err := config.Load(config.Input{Args: os.Args[1:], Env: os.Environ(), Files: config.OS{}})
//
// A setting has one name everywhere: --max-value-size, KVNODE_MAX_VALUE_SIZE, and
// max-value-size in the YAML file that --config names. A flag wins over the environment,
// that over the file, and the file over the default. An empty environment variable counts
// as not set.
//
// The file is one flat mapping of names to scalars, and for lists to sequences of them.
// Anchors, tags, several documents and what else YAML can do are refused, and so are names
// that are unknown or occur twice. A variable KVNODE_… of an unknown name is a warning and
// no error, because container platforms invent some for every service.
//
// # Invariants
//
//  1. Every setting is in the table exactly once, with type, default, limits and help.
//  2. The error of Load holds all problems at once, each with its source and with what to
//     do about it.
//  3. A secret comes from a file of its own or from the environment, never from a flag,
//     where everybody on the machine sees it, or the YAML file, which gets shared. It is
//     never printed.
//  4. What Print writes is a file that means the same, but for secrets.
//  5. Unsafe decides alone whether the addresses may be listened on.
//
// The package reads files through Input.Files, and nothing else of the outside world. It
// opens no store and no socket, resolves no names, and does not read certificates: it only
// says whether their files are there and private.
package config
