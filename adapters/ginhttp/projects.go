package ginhttp

import (
	"net/http"

	"github.com/flowlatch/flowlatch/app"
	"github.com/flowlatch/flowlatch/domain"
)

func (a *api) addProject(x *exchange) error {
	var in struct {
		Version          text          `json:"version_id"`
		Token            domain.Secret `json:"token"`
		VoiceflowProject text          `json:"voiceflow_project_id"`

		Environments *domain.EnvironmentsSpec `json:"environments"`
	}
	if err := x.decode(&in); err != nil {
		return err
	}
	p, err := a.service.AddProject(x.ctx(), x.call, app.AddProject{
		Version: string(in.Version), Key: in.Token, VoiceflowProject: string(in.VoiceflowProject), Environments: in.Environments,
	})
	if err != nil {
		return err
	}
	x.send(http.StatusOK, say("the assistant was added").member("assistant").assistant(p))
	return nil
}

func (a *api) setEnvironments(x *exchange) error {
	var in struct {
		ID           text                     `json:"project_id"`
		Environments *domain.EnvironmentsSpec `json:"environments"`
	}
	if err := x.decode(&in); err != nil {
		return err
	}
	p, err := a.service.SetEnvironments(x.ctx(), x.call, string(in.ID), in.Environments)
	if err != nil {
		return err
	}
	x.send(http.StatusOK, say("calls can use these environments from now on").member("assistant").assistantOfAdmin(p))
	return nil
}

func (a *api) setPictureOrigins(x *exchange) error {
	var in struct {
		ID      text    `json:"project_id"`
		Origins *[]text `json:"origins"`
	}
	if err := x.decode(&in); err != nil {
		return err
	}
	p, err := a.service.SetPictureOrigins(x.ctx(), x.call, string(in.ID), textsIfAny(in.Origins))
	if err != nil {
		return err
	}
	x.send(http.StatusOK, say("the chat page shows pictures and plays audio from these origins only").member("assistant").assistantOfAdmin(p))
	return nil
}

func (a *api) deleteProject(x *exchange) error {
	var in struct {
		Name text `json:"project_name"`
		ID   text `json:"project_id"`
	}
	if err := x.decode(&in); err != nil {
		return err
	}
	if err := a.service.DeleteProject(x.ctx(), x.call, app.DeleteProject{Name: string(in.Name), ID: string(in.ID)}); err != nil {
		return err
	}
	return x.ok("the assistant was deleted here; Voiceflow still has it")
}

func (a *api) setProject(x *exchange) error {
	var in struct {
		ID text `json:"project_id"`
	}
	if err := x.decode(&in); err != nil {
		return err
	}
	set, err := a.service.SetProject(x.ctx(), x.call, string(in.ID))
	if err != nil {
		if ref, no := domain.ParseProjectRef(string(in.ID)); no == nil && ref.ID != "" {
			x.asked = domain.OnProject(ref.ID)
		}
		return err
	}
	a.cookies.set(x, domain.AssistantSession, set.Cookie)
	x.send(http.StatusOK, say("the assistant is set").member("assistant").assistant(set.Project))
	return nil
}

// clearProject ends every session that a cookie of these names stands for. So a planted cookie
// beside the caller's own can't keep the session alive.
func (a *api) clearProject(x *exchange) error {
	for _, name := range a.cookies.names[domain.AssistantSession] {
		for _, cookie := range x.c.Request.CookiesNamed(name) {
			if err := a.service.ClearProject(x.ctx(), x.call, cookie.Value); err != nil {
				return err
			}
		}
	}
	a.forgetAssistant(x)
	return x.ok("no assistant is set")
}

// grantOf is the body of /grant_project and /revoke_project.
type grantOf struct {
	User    text `json:"user_id"`
	Project text `json:"project_id"`
}

func (a *api) grantProject(x *exchange) error {
	var in struct {
		grantOf

		Scopes *[]text `json:"scopes"`
	}
	if err := x.decode(&in); err != nil {
		return err
	}
	if err := a.service.GrantProject(x.ctx(), x.call, string(in.User), string(in.Project), textsIfAny(in.Scopes)); err != nil {
		return err
	}
	return x.ok("the assistant was granted")
}

func (a *api) revokeProject(x *exchange) error {
	var in grantOf
	if err := x.decode(&in); err != nil {
		return err
	}
	if err := a.service.RevokeProject(x.ctx(), x.call, string(in.User), string(in.Project)); err != nil {
		return err
	}
	return x.ok("the grant was revoked")
}
