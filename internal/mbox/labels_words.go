package mbox

import "strings"

// A labelMeaning is what a label of Gmail's own stands for.
type labelMeaning int

const (
	meansFolder labelMeaning = iota // none of Gmail's own
	meansInbox
	meansSent
	meansDraft
	meansTrash
	meansSpam
	meansArchived
	meansStarred
	meansImportant
	meansUnread
	meansNothing
)

// A gmail is what Gmail and Takeout call their own labels in one language, with bars between the words: Takeout has used
// others than the pages do, and changed them.
type gmail struct {
	language                                                                             string
	inbox, sent, draft, trash, spam, archived, starred, important, unread, opened, taken string
}

// gmails are compared by labelKey.
var gmails = []gmail{
	{"English", "Inbox", "Sent|Sent Mail", "Draft|Drafts", "Trash|Bin", "Spam", "Archived|All Mail", "Starred", "Important", "Unread", "Opened", "Category"},
	{"German", "Posteingang", "Gesendet|Gesendete Nachrichten", "Entwürfe|Entwurf", "Papierkorb", "Spam", "Archiviert|Alle Nachrichten", "Markiert", "Wichtig", "Ungelesen", "Geöffnet", "Kategorie"},
	{"French", "Boîte de réception", "Envoyé|Envoyés|Messages envoyés", "Brouillon|Brouillons", "Corbeille", "Spam|Courrier indésirable", "Archivés|Archivé|Messages archivés|Tous les messages", "Suivi|Suivis|Messages suivis", "Important|Importants", "Non lu|Non lus", "Ouvert|Ouverts", "Catégorie"},
	{"Spanish", "Recibidos|Bandeja de entrada", "Enviado|Enviados", "Borrador|Borradores", "Papelera", "Spam", "Archivado|Archivados|Todos", "Destacado|Destacados", "Importante|Importantes", "No leído|No leídos|Sin leer", "Abierto|Abiertos", "Categoría"},
	{"Catalan", "Safata d'entrada|Rebuts", "Enviat|Enviats", "Esborrany|Esborranys", "Paperera", "Correu brossa", "Arxivat|Arxivats|Tots", "Destacat|Destacats", "Important|Importants", "No llegit|No llegits", "Obert|Oberts", "Categoria"},
	{"Italian", "Posta in arrivo", "Inviati|Posta inviata|Inviato", "Bozze|Bozza", "Cestino", "Spam", "Archiviati|Archiviato|Tutti i messaggi", "Speciali|Speciale", "Importanti|Importante", "Da leggere|Non letti|Non letto", "Aperti|Aperto|Già letto", "Categoria"},
	{"Portuguese", "Caixa de entrada", "Enviado|Enviados|Enviadas|E-mails enviados", "Rascunho|Rascunhos", "Lixeira|Lixo", "Spam", "Arquivado|Arquivados|Arquivadas|Todos os e-mails", "Com estrela|Marcado com estrela", "Importante|Importantes", "Não lido|Não lidos|Não lida|Não lidas", "Aberto|Abertos|Aberta|Abertas", "Categoria"},
	{"Dutch", "Postvak IN|Inbox", "Verzonden|Verzonden berichten", "Concept|Concepten", "Prullenbak", "Spam", "Gearchiveerd|Alle berichten|Alle e-mail", "Met ster", "Belangrijk", "Ongelezen", "Geopend", "Categorie"},
	{"Polish", "Odebrane", "Wysłane", "Wersje robocze|Wersja robocza|Robocze", "Kosz", "Spam", "Zarchiwizowane|Wszystkie", "Oznaczone gwiazdką", "Ważne", "Nieprzeczytane", "Otwarte|Otwarto", "Kategoria"},
	{"Czech", "Doručená pošta", "Odeslaná pošta|Odesláno", "Koncept|Koncepty", "Koš", "Spam", "Archivováno|Všechny zprávy", "S hvězdičkou", "Důležité", "Nepřečtené", "Otevřeno|Otevřené", "Kategorie"},
	{"Swedish", "Inkorgen|Inkorg", "Skickat|Skickade|Skickat mail", "Utkast", "Papperskorgen|Papperskorg", "Skräppost", "Arkiverade|Arkiverat|Alla mail", "Stjärnmärkta|Stjärnmärkt", "Viktigt", "Olästa|Oläst", "Öppnade|Öppnat", "Kategori"},
	{"Danish", "Indbakke", "Sendt|Sendte mails", "Kladde|Kladder", "Papirkurv", "Spam", "Arkiveret|Alle mails", "Stjernemarkeret|Stjernemarkerede", "Vigtigt|Vigtig", "Ulæst|Ulæste", "Åbnet|Åbnede", "Kategori"},
	{"Norwegian", "Innboks", "Sendt|Sendt e-post", "Utkast", "Papirkurv", "Søppelpost", "Arkivert|All e-post", "Stjernemerket|Med stjerne", "Viktig", "Ulest|Uleste", "Åpnet|Åpnede", "Kategori"},
	{"Finnish", "Postilaatikko|Saapuneet", "Lähetetyt|Lähetetty", "Luonnos|Luonnokset", "Roskakori", "Roskaposti", "Arkistoitu|Kaikki viestit", "Tähdelliset|Tähdellä merkitty", "Tärkeä|Tärkeät", "Lukematon|Lukematta|Lukemattomat", "Avattu|Avatut", "Luokka"},
	{"Hungarian", "Beérkező levelek", "Elküldött|Elküldött levelek", "Piszkozat|Piszkozatok", "Kuka", "Spam", "Archivált|Összes levél", "Csillagozott", "Fontos", "Olvasatlan", "Megnyitott|Megnyitva", "Kategória"},
	{"Turkish", "Gelen Kutusu", "Gönderildi|Gönderilmiş Postalar|Gönderilenler", "Taslak|Taslaklar", "Çöp Kutusu", "Spam", "Arşivlendi|Tüm Postalar", "Yıldızlı", "Önemli", "Okunmamış|Okunmadı", "Açıldı|Açık|Açılmış", "Kategori"},
	{"Russian", "Входящие", "Отправленные", "Черновики|Черновик", "Корзина", "Спам", "Архив|Архивные|В архиве|Вся почта", "Помеченные", "Важное|Важные", "Непрочитанные|Непрочитано", "Открытые|Открыто|Прочитанные", "Категория"},
	{"Ukrainian", "Вхідні", "Надіслані", "Чернетки|Чернетка", "Кошик", "Спам", "Архів|Заархівовано|Уся пошта", "Із зірочкою", "Важливі|Важливо", "Непрочитані|Непрочитано", "Відкриті|Відкрито", "Категорія"},
	{"Greek", "Εισερχόμενα", "Απεσταλμένα", "Πρόχειρα|Πρόχειρο", "Κάδος απορριμμάτων|Κάδος", "Ανεπιθύμητα|Ανεπιθύμητη αλληλογραφία", "Αρχειοθετημένα|Όλα τα μηνύματα", "Με αστέρι", "Σημαντικά|Σημαντικό", "Μη αναγνωσμένα|Μη αναγνωσμένο", "Ανοιγμένα|Ανοίχτηκε", "Κατηγορία"},
	{"Hebrew", "דואר נכנס", "נשלח|דואר יוצא|פריטים שנשלחו", "טיוטות|טיוטה", "אשפה", "ספאם|דואר זבל", "בארכיון|כל הדואר", "מסומן בכוכב|מסומנים בכוכב", "חשוב", "לא נקרא|לא נקראו", "נפתח|נפתחו", "קטגוריה"},
	{"Arabic", "البريد الوارد|صندوق الوارد", "البريد المرسل|الرسائل المرسلة|مرسلة", "المسودات|مسودة", "المهملات", "الرسائل غير المرغوب فيها|غير مرغوب فيها", "مؤرشفة|تمت أرشفتها|كل البريد", "مميزة بنجمة|مميز بنجمة", "مهمة|مهم", "غير مقروءة|غير مقروء", "مفتوحة|تم فتحها", "الفئة|فئة"},
	{"Persian", "صندوق ورودی|صندوق دریافت", "ارسال شده|نامه های ارسال شده|ارسال شده", "پیش نویس|پیش نویس ها", "زباله دان|سطل زباله", "هرزنامه", "بایگانی شده|بایگانی شده|همه نامه ها", "ستاره دار", "مهم", "خوانده نشده|خوانده نشده", "باز شده|بازشده", "دسته|رده"},
	{"Hindi", "इनबॉक्स", "भेजा गया|भेजे गए|भेजी गई मेल", "ड्राफ़्ट", "ट्रैश", "स्पैम", "संग्रहीत", "तारांकित", "महत्वपूर्ण", "नहीं पढ़ा गया|अपठित", "खोला गया|खुला", "श्रेणी"},
	{"Vietnamese", "Hộp thư đến", "Thư đã gửi|Đã gửi", "Thư nháp", "Thùng rác", "Thư rác|Spam", "Đã lưu trữ|Tất cả thư", "Có gắn dấu sao|Có gắn sao", "Quan trọng", "Chưa đọc", "Đã mở", "Danh mục"},
	{"Indonesian", "Kotak Masuk", "Terkirim|Surat Terkirim", "Draf", "Sampah", "Spam", "Diarsipkan|Semua Email", "Berbintang", "Penting", "Belum dibaca", "Dibuka", "Kategori"},
	{"Japanese", "受信トレイ", "送信済み|送信済みメール", "下書き", "ゴミ箱", "迷惑メール", "アーカイブ済み|アーカイブ|すべてのメール", "スター付き", "重要", "未読", "開封済み|既読", "カテゴリ"},
	{"Chinese", "收件箱|收件匣", "已发送|已发邮件|已發送|寄件備份|已傳送", "草稿", "已删除邮件|垃圾桶|回收站|已刪除的郵件", "垃圾邮件|垃圾郵件", "已归档|已封存|存档|所有邮件|所有郵件", "已加星标|已加星號", "重要|重要邮件|重要郵件", "未读|未讀", "已打开|已開啟", "类别|類別|分类"},
	{"Korean", "받은편지함", "보낸편지함|보낸메일함", "임시보관함", "휴지통", "스팸함|스팸", "보관처리됨|보관됨|전체보관함", "별표편지함|별표", "중요편지함|중요", "읽지않음|읽지 않은 메일|안읽음", "열림|열어봄|읽음", "카테고리"},
	{"Thai", "กล่องจดหมาย|กล่องขาเข้า", "ส่งแล้ว|จดหมายที่ส่ง", "ร่างจดหมาย", "ถังขยะ", "จดหมายขยะ", "เก็บถาวรแล้ว|จดหมายทั้งหมด", "ที่ติดดาว|ติดดาว", "สำคัญ", "ยังไม่อ่าน|ยังไม่ได้อ่าน", "เปิดแล้ว", "หมวดหมู่"},
}

func (g gmail) byMeaning() map[labelMeaning]string {
	return map[labelMeaning]string{meansInbox: g.inbox, meansSent: g.sent, meansDraft: g.draft, meansTrash: g.trash, meansSpam: g.spam,
		meansArchived: g.archived, meansStarred: g.starred, meansImportant: g.important, meansUnread: g.unread, meansNothing: g.opened}
}

// labelMeanings maps keys of labels to what they mean, and categoryWords are the keys that labels of tabs begin with.
var labelMeanings, categoryWords = func() (map[string]labelMeaning, []string) {
	all := map[string]labelMeaning{}
	var categories []string
	for _, g := range gmails {
		for meaning, list := range g.byMeaning() {
			for word := range strings.SplitSeq(list, "|") {
				if key := labelKey(word); all[key] == meansFolder {
					all[key] = meaning
				}
			}
		}
		for word := range strings.SplitSeq(g.taken, "|") {
			categories = append(categories, labelKey(word))
		}
	}
	return all, categories
}()
