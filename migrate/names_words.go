package migrate

import (
	"strings"

	"github.com/mailhaul/mailhaul/internal/mail"
)

// The words below are what mail programs and providers call their folders, collected from the translations of
// Thunderbird (thunderbird/thunderbird-l10n 5d7cde6), Thunderbird for Android, once K-9 (thunderbird/thunderbird-android
// a59bd67), Roundcube (roundcube/roundcubemail 28b4441), Nextcloud Mail (nextcloud/mail e5734fe) and WildDuck
// (nodemailer/wildduck 08c5804), from exchangelib's names of Outlook's folders (ecederstrand/exchangelib 527d240) and
// OpenArchiver's (LogicLabs-OU/OpenArchiver), from imapsync's list (imapsync/imapsync 0235350), and from what Gmail,
// GMX, QQ and others show. A word that means one thing to one program and another to the next is left out.

// A vocabulary is one language's words for each role, with bars between them.
type vocabulary struct{ language, sent, drafts, junk, trash, archive string }

func (v vocabulary) byRole() map[mail.Role]string {
	return map[mail.Role]string{mail.RoleSent: v.sent, mail.RoleDrafts: v.drafts, mail.RoleJunk: v.junk,
		mail.RoleTrash: v.trash, mail.RoleArchive: v.archive}
}

// words are compared by wordKey, so that
// case, accents, blanks and hyphens do not matter.
var words = []vocabulary{
	{"English", "Sent|Sent Items|Sent Messages|Sent Mail|Sent Email", "Drafts|Draft|Draft Messages",
		"Junk|Junk E-mail|Junk Mail|Junk Messages|Spam|Bulk|Bulk Mail", "Trash|Deleted Items|Deleted Messages|Deleted|Bin|Rubbish",
		"Archive|Archives|Archived"},
	{"German", "Gesendet|Gesendete Elemente|Gesendete Objekte|Gesendete Nachrichten", "Entwürfe|Entwurf|Entwuerfe",
		"Spamverdacht|Unerwünscht|Unerwünschte Werbung", "Papierkorb|Gelöscht|Gelöschte Elemente|Gelöschte Objekte|Geloeschte Elemente",
		"Archiv|Archive"},
	{"French", "Envoyés|Envoyé|Éléments envoyés|Messages envoyés|Objets envoyés|Courrier envoyé", "Brouillons|Brouillon",
		"Indésirables|Pourriel|Pourriels|Courrier indésirable|Courrier indésirables", "Corbeille|Éléments supprimés|Messages supprimés",
		"Archive|Archives|Archivés"},
	{"Spanish", "Enviados|Elementos enviados|Mensajes enviados|Correo enviado", "Borradores|Borrador",
		"No deseado|Correo no deseado|Correo basura", "Papelera|Elementos eliminados|Eliminados",
		"Archivo|Archivos|Archivados"},
	{"Italian", "Inviata|Inviati|Posta inviata|Elementi inviati|Messaggi inviati", "Bozze",
		"Indesiderata|Posta indesiderata", "Cestino|Posta eliminata|Elementi eliminati|Eliminata",
		"Archivio|Archivi|Archiviati"},
	{"Portuguese", "Enviados|Enviadas|Enviada|Itens enviados|E-mails enviados|Mensagens enviadas", "Rascunhos|Rascunho",
		"Lixo eletrónico|Lixo electrónico|Lixo eletrônico", "Lixeira|Lixo|Reciclagem|Itens excluídos|Itens eliminados|Excluídos",
		"Arquivo|Arquivados|Arquivamento|Arquivo morto"},
	{"Dutch", "Verzonden|Verzonden items|Verzonden berichten", "Concepten",
		"Ongewenst|Ongewenste e-mail|Ongewenste reclame", "Prullenbak|Prullenmand|Verwijderde items|Verwijderde berichten",
		"Archief|Archieven"},
	{"Polish", "Wysłane|Elementy wysłane|Wysłane elementy", "Szkice|Robocze|Kopie robocze|Wersje robocze",
		"Niechciane|Wiadomości-śmieci|Potwierdzony spam", "Kosz|Elementy usunięte|Usunięte elementy|Usunięte",
		"Archiwum"},
	{"Russian", "Отправленные|Отправлено", "Черновики",
		"Спам|Нежелательная почта", "Корзина|Удалённые|Удалённые элементы",
		"Архив|Архивы"},
	{"Ukrainian", "Надіслані|Надіслане|Відправлені", "Чернетки",
		"Спам|Небажана пошта", "Кошик|Смітник|Видалені|Видалене",
		"Архів|Архіви"},
	{"Turkish", "Gönderilmiş|Gönderilen|Gönderilenler|Gönderilmiş Öğeler|Gönderilmiş Postalar", "Taslaklar|Taslak",
		"İstenmeyen|Gereksiz|Önemsiz|Önemsiz E-posta|Gereksiz E-posta", "Çöp|Çöp Kutusu|Silinmiş Öğeler|Silinmiş|Silinenler",
		"Arşiv|Arşivler"},
	{"Persian", "ارسال شده|ارسالی|ارسال شده ها|فرستاده شده", "پیش نویس ها|پیش نویس",
		"هرزنامه|هرزنامه ها|بنجل", "زباله دان|سطل زباله|حذف شده",
		"بایگانی|آرشیو"},
	{"Arabic", "المرسل|مُرسَل|أُرسِلَت|البريد المرسل|العناصر المرسلة|الرسائل المرسلة", "المسودات|مسوّدات",
		"غير المرغوب|غير المرغوب فيها|الرسائل غير المرغوب فيها|بريد عشوائي|البريد العشوائي|عشوائي|سُخام",
		"المهملات|مُهملات|سلّة المهملات|سلّة المحذوفات|العناصر المحذوفة", "الأرشيف|أرشيف"},
	{"Japanese", "送信済み|送信済みトレイ|送信済みアイテム|送信済みメール|送信済メール", "下書き",
		"迷惑メール|スパム", "ごみ箱|ゴミ箱|削除済みアイテム",
		"アーカイブ"},
	{"Chinese", "已发送|已发送邮件|已发送消息|已发送的邮件|已发邮件|寄件備份|寄件備份匣|已傳送|已傳送的郵件", "草稿|草稿箱|草稿匣|草稿夹",
		"垃圾|垃圾邮件|垃圾郵件|垃圾箱|广告邮件", "已删除|已删除邮件|已删除的邮件|废件箱|回收站|垃圾桶|回收桶|回收筒|刪除的郵件|已刪除的郵件",
		"归档|存档|封存|歸檔|備存"},
	{"Korean", "보낸 편지함|보낸 메일함|보냄", "임시 보관함|임시보관함",
		"스팸|스팸 편지함|스팸 메일함|정크 메일", "휴지통|지운 편지함|지운 메일함|삭제된 항목",
		"보관|보관함|저장 편지함"},
	{"Swedish", "Skickat|Skickade|Skickade objekt", "Utkast",
		"Skräp|Skräppost", "Papperskorg|Papperskorgen|Borttaget|Borttagna objekt", "Arkiv"},
	{"Danish", "Sendt|Sendt post|Sendte elementer", "Kladder|Kladde|Udkast",
		"Uønsket|Uønsket e-mail|Uønsket post", "Papirkurv|Slettet post|Slettede elementer", "Arkiv"},
	{"Norwegian", "Sendt|Sendte elementer", "Utkast|Kladd|Kladder|Kladdar",
		"Søppelpost|Uønsket", "Papirkurv|Papirkorg|Slettet|Sletta|Slettede elementer", "Arkiv"},
	{"Finnish", "Lähetetyt|Lähetetyt viestit", "Luonnokset",
		"Roskaposti|Roskapostit", "Roskakori|Poistetut", "Arkisto"},
	{"Czech", "Odeslané|Odeslaná|Odeslaná pošta", "Koncepty|Rozepsané",
		"Nevyžádaná|Nevyžádaná pošta", "Koš|Odstraněná pošta", "Archiv"},
	{"Slovak", "Odoslané|Odoslaná|Odoslaná pošta", "Koncepty",
		"Nevyžiadaná pošta", "Kôš|Odpadkový kôš", "Archív|Archívy"},
	{"Hungarian", "Elküldött|Elküldöttek|Küldöttek|Elküldött elemek", "Piszkozatok",
		"Kéretlen|Levélszemét|Szemét", "Kuka|Lomtár|Törölt elemek", "Archívum"},
	{"Romanian", "Trimise|Mesaje trimise", "Ciorne|Schițe|Mesaje nefinalizate",
		"Nesolicitate", "Gunoi|Coș de gunoi|Șterse", "Arhivă|Arhive"},
	{"Greek", "Απεσταλμένα", "Πρόχειρα|Προσχέδια",
		"Ανεπιθύμητα|Ανεπιθύμητη αλληλογραφία", "Απορρίμματα|Κάδος Απορριμάτων|Κάδος απορριμμάτων|Διαγραμμένα", "Αρχειοθήκη|Αρχείο|Αρχειοθετημένα"},
	{"Bulgarian", "Изпратени|Изпратени писма", "Чернови",
		"Спам|Нежелана поща", "Кошче|Изтрити", "Архив|Архиви"},
	{"Serbian and Croatian", "Послато|Послате|Poslano|Poslato", "Нацрти|Skice|Predlošci",
		"Neželjeno|Neželjena pošta", "Smeće|Смеће", "Архива|Arhiva"},
	{"Slovenian", "Poslano", "Osnutki",
		"Neželeno|Neželena pošta|Neželena sporočila", "Smeti|Koš", "Arhiv"},
	{"Hebrew", "נשלח|נשלחו|פריטים שנשלחו", "טיוטות",
		"דואר זבל|זבל|ספאם", "אשפה|פח אשפה|פריטים שנמחקו", "ארכיון"},
	{"Catalan", "Enviats|Enviat|Elements enviats", "Esborranys",
		"Brossa|Correu brossa", "Paperera|Elements suprimits", "Arxiu"},
	{"Lithuanian", "Išsiųsti|Išsiųsti laiškai", "Juodraščiai", "Brukalas", "Šiukšlinė|Šiukšliadėžė", "Archyvas"},
	{"Latvian", "Nosūtīts|Nosūtītās", "Melnraksti|Uzmetumi", "Mēstules|Nevēlams", "Atkritne|Papīrgrozs|Papīrkurvis", "Arhīvs|Arhīvi"},
	{"Estonian", "Saadetud|Saadetud kirjad", "Mustandid|Kavandid", "Rämps|Rämpspost", "Prügikast|Kustutatud kirjad", "Arhiiv"},
	{"Vietnamese", "Đã gửi|Thư đã gửi", "Thư nháp|Bản nháp", "Thư rác", "Thùng rác", "Lưu trữ"},
	{"Indonesian", "Terkirim|Item Terkirim", "Draf|Konsep", "Email sampah", "Tong Sampah|Tempat Sampah|Surat Terhapus", "Arsip"},
	{"Thai", "ส่งแล้ว|รายการที่ส่ง", "ฉบับร่าง|กล่องจดหมายร่าง", "อีเมลขยะ|กล่องจดหมายขยะ|จดหมายขยะ", "ถังขยะ|รายการที่ถูกลบ", "ที่เก็บถาวร"},
	{"Hindi", "भेजा गया|भेजे गए", "ड्राफ़ट|ड्राफ्ट", "स्पैम", "रद्दी|कचरा", "संग्रह"},
}

// A meaning is the role that a word names, and in which language.
type meaning struct {
	role     mail.Role
	language string
	rank     int // of two folders the one with the smaller is meant: the languages and their words are in order
}

// maxWords is more words than any language has for a role.
const maxWords = 20

// meanings maps the words to what they mean. A word of several languages belongs to the first.
var meanings = func() map[string]meaning {
	all := make(map[string]meaning)
	for i, w := range words {
		for role, list := range w.byRole() {
			for rank, word := range strings.Split(list, "|") {
				if key := wordKey(word); all[key] == (meaning{}) {
					all[key] = meaning{role, w.language, i*maxWords + rank}
				}
			}
		}
	}
	return all
}()
