package ports

import "time"

// Clock tells the time. Production passes time.Now; tests pass their own, so that
// nothing has to sleep.
type Clock func() time.Time
