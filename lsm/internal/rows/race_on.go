//go:build race

package rows

// locks says that readers take the lock: the race detector does not know that what they
// copy while it changes is forgotten.
const locks = true
