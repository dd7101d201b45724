package portstest

import (
	"fmt"
	"testing"

	"github.com/flowlatch/flowlatch/domain"
)

// creatingFirst returns an act by a set-up link that creates the user if there is none.
func (f *fixture) creatingFirst(u domain.User) domain.Act {
	rec := f.record(domain.ActionCreateUser, domain.OnUser(u.ID))
	rec.Actor = domain.ActorSetupLink
	return domain.Act{By: domain.CallerBySetupLink(), Needs: domain.NeedsNoUsers(), Record: rec}
}

// createFirst has a user who is disabled, since such a user counts too.
func createFirst(t *testing.T, f *fixture) {
	first, second := f.user("ana", domain.RoleAdmin), f.user("bea", domain.RoleAdmin)
	act := f.creatingFirst(first)
	for name, tc := range map[string]struct {
		by   domain.Caller
		want domain.Kind
	}{
		"nobody":         {domain.Caller{}, domain.NotAuthenticated},
		"a host's admin": {domain.Caller{ID: "a host's admin", Admin: true}, domain.NotAllowed},
	} {
		act := act
		act.By = tc.by
		wantKind(t, "Create of the first user by "+name, f.Ports.Users.Create(t.Context(), act, first), tc.want)
		f.wantNoUser(t, "who was not created", first.ID)
	}
	wantNil(t, "Create of the first user", f.Ports.Users.Create(t.Context(), act, first))
	f.wrote(act.Record, domain.User{}, first)
	f.wantUser(t, "the first user", first)
	for _, disabled := range []bool{false, true} {
		if disabled {
			other := f.user("member", domain.RoleMember)
			other.Disabled = true
			f.create(t, other)
			gone := f.act(domain.ActionDeleteUser, domain.OnUser(first.ID))
			wantNil(t, "Users.Remove", f.Ports.Users.Remove(t.Context(), gone, first.ID, agree))
			f.log = append(f.log, gone.Record)
		}
		for name, by := range map[string]domain.Caller{"a set-up link": domain.CallerBySetupLink(), "the operator": domain.Operator()} {
			act := f.creatingFirst(second)
			act.By = by
			wantKind(t, "Create of a second user as the first by "+name, f.Ports.Users.Create(t.Context(), act, second), domain.Conflict)
			f.wantNoUser(t, "who was not created", second.ID)
		}
	}
	f.wantRecords(t, "after Create of the first user and of others")
}

// forgetUsers removes the users, so that there is a first one again.
func (f *fixture) forgetUsers(t *testing.T) {
	t.Helper()
	for _, u := range f.pageUsers(t, "all", domain.Cursor{}, 100) {
		act := f.act(domain.ActionDeleteUser, domain.OnUser(u.ID))
		wantNil(t, "Users.Remove", f.Ports.Users.Remove(t.Context(), act, u.ID, agree))
		f.log = append(f.log, act.Record)
	}
}

// createFirstAtOnce fails for an adapter that looks for users first and inserts one then.
func createFirstAtOnce(t *testing.T, f *fixture) {
	at := f.instances(t)
	for range rounds / 4 {
		all, acts, errs := make([]domain.User, crowd), make([]domain.Act, crowd), make([]error, crowd)
		for i := range all {
			all[i] = f.user(f.username(), domain.RoleAdmin)
			acts[i] = f.creatingFirst(all[i])
		}
		atOnce(crowd, func(i int) { errs[i] = at[i%len(at)].Ports.Users.Create(t.Context(), acts[i], all[i]) })
		one := onlySuccess(t, "Create of the first user", errs)
		for i, err := range errs {
			if i != one {
				wantKind(t, fmt.Sprintf("one of the other %d Creates of the first user", crowd-1), err, domain.Conflict)
			}
		}
		wantSame(t, "the users after all", f.pageUsers(t, "after all", domain.Cursor{}, 100), []domain.User{all[one]})
		f.wantRecordsInAnyOrder(t, "after all", written(acts[one].Record, domain.User{}, all[one]))
		f.forgetUsers(t)
	}
}

// createFirstBeside has the operator create an admin by a command, which does not ask for other
// users.
func createFirstBeside(t *testing.T, f *fixture) {
	at := f.instances(t)
	for range rounds {
		first, other := f.user(f.username(), domain.RoleAdmin), f.user(f.username(), domain.RoleAdmin)
		byLink, byCommand := f.creatingFirst(first), f.act(domain.ActionCreateUser, domain.OnUser(other.ID))
		var err, commandErr error
		atOnce(2, func(i int) {
			if i == 0 {
				err = at[0].Ports.Users.Create(t.Context(), byLink, first)
			} else {
				commandErr = at[len(at)-1].Ports.Users.Create(t.Context(), byCommand, other)
			}
		})
		wantNil(t, "Create of another user at the same instant", commandErr)
		want := written(byCommand.Record, domain.User{}, other)
		if err == nil {
			want = append(written(byLink.Record, domain.User{}, first), want...)
		} else {
			wantKind(t, "Create of the first user beside another", err, domain.Conflict)
			f.wantNoUser(t, "who was not created", first.ID)
		}
		f.log = append(f.log, want...)
		f.wantRecords(t, "after Create of the first user beside another")
		f.forgetUsers(t)
	}
}
