//go:build !race

package rows

// locks says that readers take the lock.
const locks = false
