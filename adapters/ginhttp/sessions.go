package ginhttp

import "github.com/flowlatch/flowlatch/domain"

func (a *api) deleteSession(x *exchange) error {
	var in struct {
		ID text `json:"session_id"`
	}
	if err := x.decode(&in); err != nil {
		return err
	}
	if err := a.service.DeleteSession(x.ctx(), x.call, string(in.ID)); err != nil {
		return err
	}
	if id, err := domain.ParseSessionID(string(in.ID)); err == nil && id == x.call.Caller.Login.ID {
		a.forget(x)
	}
	return x.ok("the session was ended")
}

func (a *api) deleteUserSessions(x *exchange) error {
	var in struct {
		User text `json:"user_id"`
	}
	if err := x.decode(&in); err != nil {
		return err
	}
	if err := a.service.DeleteUserSessions(x.ctx(), x.call, string(in.User)); err != nil {
		return err
	}
	if domain.UserID(in.User) == x.call.Caller.ID && x.call.Caller.Token == "" {
		a.forget(x)
	}
	return x.ok("the sessions of the user were ended; access tokens stay")
}
