package archive

import "time"

func umask(int) int { return 0 }

func cpu() time.Duration { return 0 }
