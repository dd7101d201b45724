package memory

import "github.com/flowlatch/flowlatch/domain"

// The functions here list the texts of what is stored, which domain.Storable checks.

func textsOfProject(p domain.Project) []string {
	return append(append(p.Environments.Names(), domain.PictureOriginsText(p.PictureOrigins)),
		string(p.ID), p.Name, string(p.Voiceflow), p.Version, p.Platform, string(p.Credits),
		string(p.Primary.Status), string(p.Primary.Sealed.Key), string(p.Secondary.Status), string(p.Secondary.Sealed.Key),
		string(p.Personal.Status), string(p.Personal.Sealed.Key))
}

func textsOfUser(u domain.User) []string {
	texts := []string{string(u.ID), string(u.Name), string(u.Role), u.PasswordHash.Reveal(), u.Identity.Issuer, u.Identity.Subject, u.AdminBy}
	for _, id := range u.Assistants {
		texts = append(texts, string(id))
	}
	return texts
}

func textsOfSession(s domain.Session) []string {
	return []string{string(s.ID), string(s.Kind), string(s.User), string(s.Login), string(s.Project), s.Address, s.Agent, string(s.SealedBy)}
}

func textsOfToken(t domain.AccessToken) []string {
	return append([]string{string(t.ID), t.Name, t.Prefix, string(t.User), string(t.Project)}, t.Environments...)
}

func textsOfConversation(c domain.Conversation) []string {
	return []string{
		string(c.ID), string(c.Project), c.UserID, string(c.Session), string(c.Token), string(c.Key.Key), string(c.HandleSealedBy), c.Environment,
	}
}

func textsOfUsageKey(k domain.UsageKey) []string {
	return []string{string(k.Day), string(k.Project), string(k.User), string(k.Token), string(k.Scope)}
}

func textsOfRecord(r domain.Record) []string {
	return []string{string(r.Actor), string(r.Action), r.Object, r.Outcome, r.RequestID, r.Address}
}

func textsOfInstallation(i domain.Installation) []string {
	return []string{string(i.Known.Key), string(i.Origin), string(i.Pseudonyms.Key), string(i.Head.Sealed.Key)}
}
