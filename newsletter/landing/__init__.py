"""Landing pages: the article, its video or moving figure, the form's place, comments."""
