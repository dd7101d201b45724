package throttle_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/flowlatch/flowlatch/adapters/throttle"
	"github.com/flowlatch/flowlatch/domain"
	"github.com/flowlatch/flowlatch/ports"
	"github.com/flowlatch/flowlatch/ports/portstest"
)

func TestUserRates(t *testing.T) {
	portstest.UserRates(t, func(_ *testing.T, now ports.Clock, changes, logins int) ports.UserRates {
		return throttle.NewUsers(now, changes, logins)
	})
}

func TestUsersTakeBoundedMemory(t *testing.T) {
	u := throttle.NewUsers(newClock().now, 600, 30)
	fill := func(from int) {
		for i := range 1 << 15 {
			user := domain.UserID(fmt.Sprintf("user %d", from+i))
			if u.Change(user) != nil || u.LogIn(user, fmt.Sprintf("10.0.%d.%d", i>>8&255, i&255)) != nil {
				t.Fatal("a user who did nothing before is refused")
			}
		}
	}
	fill(0)
	before := heap()
	fill(1 << 16)
	if after := heap(); after > before+1<<20 {
		t.Errorf("got %d bytes more after many other users", after-before)
	}
	runtime.KeepAlive(u)
}
